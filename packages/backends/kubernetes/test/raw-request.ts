import { once } from 'node:events';
import { connect } from 'node:net';

/** An answer as it was on the wire. */
export interface RawAnswer {
  readonly statusLine: string;
  readonly headers: readonly (readonly [string, string])[];
  /** The body, as it came: one for a body with a length. */
  readonly chunks: readonly string[];
}

/** One request over a connection of its own, until the body is complete or the connection ends. */
export async function rawRequest(
  port: number,
  path: string,
  headers: readonly (readonly [string, string])[],
): Promise<RawAnswer> {
  const socket = connect({ host: '127.0.0.1', port });
  const lines = headers.map(([name, value]) => `${name}: ${value}\r\n`);
  socket.write(`GET ${path} HTTP/1.1\r\n${lines.join('')}\r\n`);
  let received = Buffer.alloc(0);
  try {
    for (;;) {
      const [data] = (await once(socket, 'data')) as [Buffer];
      received = Buffer.concat([received, data]);
      const answer = parse(received);
      if (answer !== undefined) return answer;
    }
  } finally {
    socket.destroy();
  }
}

function parse(received: Buffer): RawAnswer | undefined {
  const end = received.indexOf('\r\n\r\n');
  if (end === -1) return undefined;
  const [statusLine = '', ...lines] = received.subarray(0, end).toString().split('\r\n');
  const headers = lines.map((line) => {
    const colon = line.indexOf(': ');
    return [line.slice(0, colon), line.slice(colon + 2)] as const;
  });
  const body = received.subarray(end + 4);
  const length = headers.find(([name]) => name === 'Content-Length')?.[1];
  const chunks =
    length === undefined ? parseChunks(body) : body.length < Number(length) ? undefined : [body.toString()];
  return chunks && { statusLine, headers, chunks };
}

function parseChunks(body: Buffer): readonly string[] | undefined {
  const chunks: string[] = [];
  for (let start = 0; ;) {
    const end = body.indexOf('\r\n', start);
    if (end === -1) return undefined;
    const size = Number.parseInt(body.subarray(start, end).toString(), 16);
    if (size === 0) return chunks;
    if (body.length < end + 2 + size + 2) return undefined;
    chunks.push(body.subarray(end + 2, end + 2 + size).toString());
    start = end + 2 + size + 2;
  }
}
