import { abortable } from '@sd/core';
import { fork, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { Channel, ProcessGoneError } from './channel.ts';
import type { ChildApi, ParentApi } from './child-api.ts';
import { seconds } from './figures.ts';
import type { InstanceInit, Runner } from './runner.ts';
import type { ServiceName, Surroundings } from './shop.ts';
import type { StorePlace } from './stores.ts';
import { noTraffic, standstill, type TrafficReading } from './traffic.ts';
import type { Disappearance, DisappearanceOptions, Named } from './views.ts';

const entry = fileURLToPath(new URL('child-main.ts', import.meta.url));

/** How long a process may take to close what it has and to end, in milliseconds. */
const closeMs = 10_000;
const drainMs = 30_000 + closeMs;

/** Runs an instance in a process of its own. */
export class ChildRunner implements Runner {
  readonly #process: ChildProcess;
  readonly #channel: Channel<ChildApi>;
  readonly #ready: Promise<void>;
  readonly #exited: Promise<void>;
  readonly #died = new AbortController();
  readonly #log: (message: string) => void;
  #traffic = noTraffic;
  #leaving = false;

  /** @param log is told what the loggers in the process are told */
  constructor(place: StorePlace, surroundings: Surroundings, log: (message: string) => void) {
    this.#log = log;
    this.#process = fork(entry, {
      serialization: 'advanced', // which keeps undefined
      // Ctrl-C in a terminal goes to all processes of a group. These shall wait for what their parent says.
      detached: true,
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    });
    this.#exited = this.#untilExit();
    this.#channel = new Channel<ChildApi>(this.#process, this.#apiFor(surroundings));
    this.#ready = this.#channel.request('prepare', place);
    this.#ready.catch(() => undefined); // it may be closed before anybody waits for it
  }

  get died(): AbortSignal {
    return this.#died.signal;
  }

  get traffic(): TrafficReading {
    return this.#traffic;
  }

  /** Resolves when the process runs and has a client of the store. */
  async ready({ signal }: { readonly signal: AbortSignal }): Promise<void> {
    await abortable(this.#ready, signal);
  }

  /** Resolves when consumers can find it. One that is aborted is killed. */
  async start(init: InstanceInit, { signal }: { readonly signal: AbortSignal }): Promise<void> {
    try {
      await this.ready({ signal });
      await abortable(this.#channel.request('start', init), signal);
    } catch (error) {
      await this.kill();
      throw error;
    }
  }

  slowDown(extraMs: number): Promise<void> {
    return this.#unlessGone(this.#channel.request('slowDown', extraMs), undefined);
  }

  busy(): Promise<void> {
    return this.#unlessGone(this.#channel.request('busy'), undefined);
  }

  disappearance(gone: Named, options: DisappearanceOptions): Promise<Disappearance> {
    const withTheView = { goneAfterMs: 0, graceMs: 0 };
    return this.#unlessGone(this.#channel.request('disappearance', gone, options), withTheView);
  }

  versionsOf(service: ServiceName): Promise<readonly string[]> {
    return this.#unlessGone(this.#channel.request('versionsOf', service), []);
  }

  async kill(): Promise<void> {
    this.#leaving = true;
    this.#process.kill('SIGKILL');
    await this.#exited;
  }

  drain(): Promise<void> {
    return this.#leave('drain', drainMs);
  }

  close(): Promise<void> {
    return this.#leave('close', closeMs);
  }

  /** Closed, a process ends by itself. One that does not has left something open, or hangs. */
  async #leave(how: 'drain' | 'close', withinMs: number): Promise<void> {
    const timer = setTimeout(() => {
      this.#log(`A process that was told to ${how} has not ended within ${seconds(withinMs)}, and is killed`);
      this.#process.kill('SIGKILL');
    }, withinMs);
    await this.#unlessGone(this.#channel.request(how), undefined);
    this.#leaving = true;
    if (this.#process.connected) this.#process.disconnect();
    await this.#exited;
    clearTimeout(timer);
  }

  /** That the process has died is told by `died`, once, and not to each who asked it something. */
  async #unlessGone<T>(answer: Promise<T>, otherwise: T): Promise<T> {
    try {
      return await answer;
    } catch (error) {
      if (!(error instanceof ProcessGoneError)) throw error;
      await this.#exited;
      return otherwise;
    }
  }

  #apiFor({ ledger, onAnswer }: Surroundings): ParentApi {
    return {
      book: async (payment) => ledger.book(payment),
      answered: (service, attempts) => onAnswer(service, { attempts }),
      traffic: (reading) => {
        this.#traffic = reading;
      },
      log: (message) => this.#log(message),
    };
  }

  #untilExit(): Promise<void> {
    return new Promise((resolve) => {
      const exited = (how: string): void => {
        this.#traffic = { ...this.#traffic, ...standstill };
        if (!this.#leaving) this.#died.abort(how);
        resolve();
      };
      this.#process.once('exit', (code, signal) => exited(`ended with ${signal ?? `exit code ${code}`}`));
      this.#process.on('error', (error) => exited(`could not be started: ${error.message}`));
    });
  }
}
