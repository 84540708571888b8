import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';

/** What a program does when it is asked to, by name. */
export type Tasks = Readonly<Record<string, (argument: never) => unknown>>;

type Answer = { readonly value?: unknown } | { readonly error: string };

/** A program of this folder in a process of its own, so that it disturbs nobody's measurement. One task at a time. */
export class Worker<T extends Tasks> implements AsyncDisposable {
  readonly #program: string;
  readonly #child: ChildProcess;
  readonly #exited: Promise<unknown>;

  constructor(program: string, ...args: readonly string[]) {
    this.#program = program;
    this.#child = fork(new URL(program, import.meta.url), args);
    this.#exited = once(this.#child, 'exit');
  }

  async ask<K extends keyof T & string>(
    task: K,
    argument: Parameters<T[K]>[0],
  ): Promise<Awaited<ReturnType<T[K]>>> {
    const asked = new AbortController();
    const answered = once(this.#child, 'message', { signal: asked.signal });
    this.#child.send({ task, argument });
    const ended = this.#exited.then((): never => {
      asked.abort();
      throw new Error(`${this.#program} ended while it was asked to ${task}`);
    });
    const [answer] = (await Promise.race([answered, ended])) as [Answer];
    if ('error' in answer) throw new Error(`${this.#program} could not ${task}: ${answer.error}`);
    return answer.value as Awaited<ReturnType<T[K]>>;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.#exited;
  }
}

/** In the program: does what its parent asks for, for as long as there is one. */
export function serve(tasks: Tasks): void {
  process.on('disconnect', () => process.exit());
  process.on('message', ({ task, argument }: { task: string; argument: never }) => {
    const work = async (): Promise<Answer> => ({ value: await tasks[task]?.(argument) });
    const failed = (error: unknown): Answer => ({
      error: error instanceof Error ? (error.stack ?? '') : String(error),
    });
    void work()
      .catch(failed)
      .then((answer) => process.send?.(answer));
  });
}
