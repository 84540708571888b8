import { readdirSync, readFileSync } from 'node:fs';

/** An exchange with a real API server, see recordings/README.md. */
export interface Recording {
  readonly name: string;
  readonly method: string;
  readonly path: string;
  readonly requestHeaders: readonly (readonly [string, string])[];
  /** None where the connection ended without an answer. */
  readonly head: RecordedHead | undefined;
  readonly chunks: readonly RecordedChunk[];
  /** Whether the body was complete. */
  readonly isWhole: boolean;
}

export interface RecordedHead {
  readonly statusLine: string;
  readonly headers: readonly (readonly [string, string])[];
}

export interface RecordedChunk {
  readonly atMs: number;
  readonly bytes: Buffer;
}

const folder = new URL('recordings/', import.meta.url);
const files = readdirSync(folder);

/** @param number `07` for `07-watch-from-rv.jsonl` */
export function recording(number: string): Recording {
  const file = files.find((each) => each.startsWith(`${number}-`)) ?? number;
  const lines = readFileSync(new URL(file, folder), 'utf8').trimEnd().split('\n');
  const entries = lines.map((line) => JSON.parse(line) as Entry);
  const request = entries.find(({ type }) => type === 'request');
  const head = entries.find(({ type }) => type === 'head');
  return {
    name: file.replace('.jsonl', ''),
    method: request?.method ?? 'GET',
    path: request?.path ?? '/',
    requestHeaders: request?.headers ?? [],
    head: head && { statusLine: head.status_line ?? '', headers: head.headers ?? [] },
    chunks: entries
      .filter(({ type }) => type === 'body')
      .map(({ t_ms: atMs = 0, text, b64 }) => ({
        atMs,
        bytes: Buffer.from(text ?? b64 ?? '', typeof text === 'string' ? 'utf8' : 'base64'),
      })),
    isWhole: /content-length|chunked-terminator/.test(entries.find(({ type }) => type === 'end')?.how ?? ''),
  };
}

interface Entry {
  readonly type: string;
  readonly t_ms?: number;
  readonly method?: string;
  readonly path?: string;
  readonly headers?: readonly (readonly [string, string])[];
  readonly status_line?: string;
  readonly text?: string | null;
  readonly b64?: string | null;
  readonly how?: string;
}
