import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';

/** A file of this folder as a process of its own, which answers one message after the other. */
export class Program<Question, Answer> implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #exited: Promise<never>;

  constructor(file: string) {
    // Without the condition that resolves packages to their sources: what is measured is what is published.
    const execArgv = process.execArgv.filter((argument) => !argument.startsWith('--conditions'));
    this.#child = fork(new URL(file, import.meta.url), { serialization: 'advanced', execArgv });
    this.#exited = once(this.#child, 'exit').then(() => {
      throw new Error(`${file} has ended`);
    });
    this.#exited.catch(() => undefined); // whoever asks hears of it
  }

  async ask(question: Question): Promise<Answer> {
    const answered = once(this.#child, 'message') as Promise<[Answer]>;
    this.#child.send({ question });
    const [answer] = await Promise.race([answered, this.#exited]);
    return answer;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.#exited.catch(() => undefined);
  }
}

/** In the program. */
export function answerWith(answer: (question: never) => Promise<unknown>): void {
  process.on('disconnect', () => process.exit());
  process.on('message', ({ question }: { readonly question: never }) => {
    void answer(question).then((value) => process.send?.(value));
  });
}
