/** Where the first message of HTTP/1.1 ends, whose body has a length or comes in chunks; undefined while that is not known. */
export function endOfMessage(bytes: Buffer): number | undefined {
  const headEnd = bytes.indexOf('\r\n\r\n');
  if (headEnd === -1) return undefined;
  const head = bytes.toString('latin1', 0, headEnd).toLowerCase();
  const start = headEnd + 4;
  if (/\r\ntransfer-encoding: *chunked/.test(head)) return endOfChunks(bytes, start);
  return start + Number(/\r\ncontent-length: *(\d+)/.exec(head)?.[1] ?? 0);
}

function endOfChunks(bytes: Buffer, start: number): number | undefined {
  for (let at = start; ;) {
    const lineEnd = bytes.indexOf('\r\n', at);
    if (lineEnd === -1) return undefined;
    const size = Number.parseInt(bytes.toString('latin1', at, lineEnd), 16);
    at = lineEnd + 2 + size + 2;
    if (size === 0) return at;
  }
}
