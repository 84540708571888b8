import { readFileSync, writeFileSync } from 'node:fs';

/** One message of a server. */
export interface Frame {
  /** Number of the connection that it came over. */
  readonly connection: number;
  /** What it answers, as the dialect names requests; undefined for what came unasked. */
  readonly to?: string | undefined;
  readonly bytes: Buffer;
}

/** What a real server sent to a backend during the scenario, in the order in which it came. */
export interface Recording {
  /** What a watcher saw, one after the other, as `stateOf()` says it. */
  readonly states: readonly string[];
  readonly frames: readonly Frame[];
}

/** A line for each: text where it is text, so that people can read it, and a change of it. */
interface Line {
  readonly connection: number;
  readonly to?: string | undefined;
  readonly text?: string;
  readonly base64?: string;
}

const pathOf = (store: string): URL => new URL(`../recordings/${store}.jsonl`, import.meta.url);

export function readRecording(store: string): Recording {
  const [head = '', ...lines] = readFileSync(pathOf(store), 'utf8').trimEnd().split('\n');
  const { states } = JSON.parse(head) as Pick<Recording, 'states'>;
  const frames = lines.map((line) => {
    const { text, base64 = '', ...about } = JSON.parse(line) as Line;
    return { ...about, bytes: text === undefined ? Buffer.from(base64, 'base64') : Buffer.from(text) };
  });
  return { states, frames };
}

export function writeRecording(store: string, { states, frames }: Recording): void {
  const lines = frames.map(({ bytes, ...about }): Line => {
    const text = bytes.toString();
    const isText = /^[\t\r\n\x20-\x7e]*$/.test(text) && bytes.equals(Buffer.from(text));
    return isText ? { ...about, text } : { ...about, base64: bytes.toString('base64') };
  });
  writeFileSync(pathOf(store), [{ states }, ...lines].map((line) => `${JSON.stringify(line)}\n`).join(''));
}
