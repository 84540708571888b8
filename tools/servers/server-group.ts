import type { StartOptions, TestServer } from './test-server.ts';

/** Servers that form one. */
export abstract class ServerGroup implements TestServer {
  /** The servers that `kill()`, `start()`, `freeze()` and `thaw()` act on. */
  protected abstract readonly members: readonly TestServer[];
  /** All that `stop()` ends. Default: the members. */
  protected get all(): readonly TestServer[] {
    return this.members;
  }

  /** Resolves when the members serve together. */
  abstract waitUntilOk(): Promise<void>;

  async kill(): Promise<void> {
    await Promise.all(this.members.map((server) => server.kill()));
  }

  async start(options?: StartOptions): Promise<void> {
    await Promise.all(this.members.map((server) => server.start(options)));
    await this.waitUntilOk();
  }

  async restart(options: Required<StartOptions>): Promise<void> {
    await this.kill();
    await this.start(options);
  }

  freeze(): void {
    for (const server of this.members) server.freeze();
  }

  thaw(): void {
    for (const server of this.members) server.thaw();
  }

  async stop(): Promise<void> {
    await Promise.all(this.all.map((server) => server.stop()));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }
}

/** Starts so many servers, and stops them again when one of them fails. */
export async function startAll<T extends TestServer>(
  count: number,
  start: (index: number) => Promise<T>,
): Promise<readonly T[]> {
  const results = await Promise.allSettled(Array.from({ length: count }, (_, index) => start(index)));
  const started = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
  const failed = results.find((result) => result.status === 'rejected');
  if (failed === undefined) return started;
  await Promise.all(started.map((server) => server.stop()));
  throw failed.reason;
}
