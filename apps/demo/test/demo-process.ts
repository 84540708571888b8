import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** The demo as a user starts it, without a terminal. */
export class DemoProcess {
  readonly #process: ChildProcess;
  readonly #listeners = new Set<() => void>();
  #stdout = '';
  #stderr = '';
  readonly ended: Promise<Ended>;

  constructor(...args: readonly string[]) {
    const main = fileURLToPath(new URL('../src/main.ts', import.meta.url));
    this.#process = spawn(process.execPath, ['--conditions=@sd/source', '--import', 'tsx', main, ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#process.stderr?.setEncoding('utf8').on('data', (text: string) => (this.#stderr += text));
    this.#process.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.#stdout += text;
      for (const listener of this.#listeners) listener();
    });
    this.ended = this.#untilEnd();
  }

  get pid(): number {
    return this.#process.pid ?? 0;
  }

  /** Resolves when it has printed this, or has ended. */
  async printed(text: string): Promise<void> {
    const { promise, resolve } = withResolver();
    const look = (): void => {
      if (this.#stdout.includes(text)) resolve();
    };
    this.#listeners.add(look);
    look();
    await Promise.race([promise, this.ended]);
    this.#listeners.delete(look);
  }

  kill(signal: NodeJS.Signals): void {
    this.#process.kill(signal);
  }

  async #untilEnd(): Promise<Ended> {
    await once(this.#process, 'close');
    return { code: this.#process.exitCode, stdout: this.#stdout, stderr: this.#stderr };
  }
}

function withResolver(): { readonly promise: Promise<void>; readonly resolve: () => void } {
  let resolve = (): void => undefined;
  const promise = new Promise<void>((settle) => (resolve = settle));
  return { promise, resolve };
}
