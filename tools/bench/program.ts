import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';

/** What a program does when it is asked to, by name; each task takes one argument. */
export type Tasks = Readonly<Record<string, (argument: never) => unknown>>;

type Answer = { readonly value?: unknown } | { readonly failed: string };

/** A file that runs as a process of its own. One task at a time. */
export class Program<T extends Tasks> implements AsyncDisposable {
  readonly #file: URL;
  readonly #child: ChildProcess;
  readonly #exited: Promise<unknown>;

  constructor(file: URL, ...args: readonly string[]) {
    this.#file = file;
    // Without the condition that resolves packages to their sources: what is measured is what is published.
    const execArgv = process.execArgv.filter((argument) => !argument.startsWith('--conditions'));
    this.#child = fork(file, args, { serialization: 'advanced', execArgv });
    this.#exited = once(this.#child, 'exit');
  }

  async ask<K extends keyof T & string>(
    task: K,
    argument: Parameters<T[K]>[0],
  ): Promise<Awaited<ReturnType<T[K]>>> {
    const answered = once(this.#child, 'message') as Promise<[Answer]>;
    this.#child.send({ task, argument });
    const [answer] = await Promise.race([
      answered,
      this.#exited.then((): never => {
        throw new Error(`${this.#file.pathname} ended while it was asked to ${task}`);
      }),
    ]);
    if ('failed' in answer) throw new Error(`${this.#file.pathname} could not ${task}: ${answer.failed}`);
    return answer.value as Awaited<ReturnType<T[K]>>;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.#exited;
  }
}

/** In the program: does what its parent asks for, for as long as there is a parent. */
export function serve(tasks: Tasks): void {
  process.on('disconnect', () => process.exit());
  process.on('message', ({ task, argument }: { readonly task: string; readonly argument: never }) => {
    void Promise.resolve(argument)
      .then((given) => tasks[task]?.(given))
      .then(
        (value): Answer => ({ value }),
        (error: unknown): Answer => ({
          failed: error instanceof Error ? String(error.stack) : String(error),
        }),
      )
      .then((answer) => process.send?.(answer));
  });
}

/** CPU time that this process has taken so far, in milliseconds. */
export function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1_000;
}

/** Milliseconds since the epoch, with fractions: a time that the processes of this machine agree on. */
export const now = (): number => performance.timeOrigin + performance.now();
