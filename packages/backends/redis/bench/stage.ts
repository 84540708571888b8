import { RedisServer } from '../../../../tools/servers/index.ts';
import type { ContestantName } from './contestants.ts';
import { Worker, type Tasks } from './worker.ts';

/** What a measurement is given; all that it starts here is gone when the stage is. */
export class Stage implements AsyncDisposable {
  /** Whether it shall be small: to see that it works, not for figures. */
  readonly quick: boolean;
  readonly libraries: readonly ContestantName[];
  readonly #started: AsyncDisposable[] = [];

  constructor({ quick, libraries }: Pick<Stage, 'quick' | 'libraries'>) {
    this.quick = quick;
    this.libraries = libraries;
  }

  /** A Redis that keeps nothing on disk. */
  async server(): Promise<RedisServer> {
    const server = await RedisServer.start({ persistent: false });
    this.#started.push(server);
    return server;
  }

  worker<T extends Tasks>(program: string, ...args: readonly string[]): Worker<T> {
    const worker = new Worker<T>(program, ...args);
    this.#started.push(worker);
    return worker;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#started.map((each) => each[Symbol.asyncDispose]()));
  }
}
