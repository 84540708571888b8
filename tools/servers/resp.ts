import type { Socket } from 'node:net';

export type Reply = string | number | null | Error | readonly Reply[];
export type Command = readonly (string | number)[];

/** Sends the commands over a new connection and closes it when all are answered. RESP2. */
export async function exchange(socket: Socket, commands: readonly Command[]): Promise<readonly Reply[]> {
  socket.setTimeout(10_000, () => socket.destroy(new Error('No answer within 10 s')));
  socket.write(commands.map(encode).join(''));
  let received = Buffer.alloc(0);
  for await (const chunk of socket as AsyncIterable<Buffer>) {
    received = Buffer.concat([received, chunk]);
    const replies = parseMany(received, 0, commands.length);
    if (replies !== undefined) return replies.reply;
  }
  throw new Error('The connection was closed before the answer');
}

function encode(command: Command): string {
  const parts = command.map(String);
  return `*${parts.length}\r\n${parts.map((part) => `$${Buffer.byteLength(part)}\r\n${part}\r\n`).join('')}`;
}

interface Parsed<T> {
  readonly reply: T;
  /** Where the next one begins. */
  readonly end: number;
}

/** `undefined`: more has to be received. */
function parse(data: Buffer, start: number): Parsed<Reply> | undefined {
  const lineEnd = data.indexOf('\r\n', start);
  if (lineEnd < 0) return undefined;
  const type = data.toString('latin1', start, start + 1);
  const line = data.toString('utf8', start + 1, lineEnd);
  const end = lineEnd + 2;
  if ((type === '$' || type === '*') && line === '-1') return { reply: null, end };
  switch (type) {
    case '+':
      return { reply: line, end };
    case '-':
      return { reply: new Error(line), end };
    case ':':
      return { reply: Number(line), end };
    case '$': {
      const bytesEnd = end + Number(line);
      if (data.length < bytesEnd + 2) return undefined;
      return { reply: data.toString('utf8', end, bytesEnd), end: bytesEnd + 2 };
    }
    case '*':
      return parseMany(data, end, Number(line));
    default:
      throw new Error(`Not RESP2: ${type}${line}`);
  }
}

function parseMany(data: Buffer, start: number, count: number): Parsed<readonly Reply[]> | undefined {
  const reply: Reply[] = [];
  let end = start;
  while (reply.length < count) {
    const parsed = parse(data, end);
    if (parsed === undefined) return undefined;
    reply.push(parsed.reply);
    end = parsed.end;
  }
  return { reply, end };
}
