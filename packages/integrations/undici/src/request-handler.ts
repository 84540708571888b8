import type { Duplex } from 'node:stream';

/**
 * How undici 7 tells whoever made a request what becomes of it: what its `Agent` makes of handlers of both generations
 * before it hands them on.
 */
export interface RequestHandler {
  onConnect?(abort: (reason?: Error) => void, context?: unknown): void;
  onResponseStarted?(): void;
  onUpgrade?(status: number, rawHeaders: Buffer[] | string[] | null, socket: Duplex): void;
  /** @returns whether the body may come; `resume` makes it come again */
  onHeaders?(status: number, rawHeaders: Buffer[], resume: () => void, statusText: string): boolean;
  onData?(chunk: Buffer): boolean;
  onComplete?(trailers: string[] | null): void;
  onError?(error: Error): void;
  onBodySent?(chunkSize: number, totalBytesSent: number): void;
  onRequestSent?(): void;
}
