import { Program, type Tasks } from '../../../../tools/bench/program.ts';
import { RedisServer } from '../../../../tools/servers/index.ts';
import type { ContestantName } from './contestants.ts';

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

  /** A program of this folder in a process of its own, so that it disturbs nobody's measurement. */
  program<T extends Tasks>(file: string, ...args: readonly string[]): Program<T> {
    const program = new Program<T>(new URL(file, import.meta.url), ...args);
    this.#started.push(program);
    return program;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#started.map((each) => each[Symbol.asyncDispose]()));
  }
}
