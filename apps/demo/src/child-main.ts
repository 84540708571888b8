import { setLogger, type RegistryBackend } from '@sd/core';
import { setImmediate as turn } from 'node:timers/promises';
import { Channel } from './channel.ts';
import type { ChildApi, ParentApi } from './child-api.ts';
import { LocalRunner } from './local-runner.ts';
import type { InstanceInit } from './runner.ts';
import type { ServiceName } from './shop.ts';
import { openStore, type StorePlace } from './stores.ts';
import type { Disappearance, DisappearanceOptions, Named } from './views.ts';

/** A process that runs one instance, and has a parent for what is not the instance's own. */
class Child implements ChildApi {
  readonly #parent = new Channel<ParentApi>(process, this);
  #backend: RegistryBackend | undefined;
  #runner: LocalRunner | undefined;
  #reports: NodeJS.Timeout | undefined;

  constructor() {
    const report = (message: string): void => this.#parent.notify('log', message);
    setLogger({ debug: () => undefined, info: report, warn: report, error: report });
    process.title = 'sd-demo spare';
    process.once('disconnect', endOrphaned);
    if (!process.connected) endOrphaned();
  }

  async prepare(place: StorePlace): Promise<void> {
    this.#backend = await openStore(place).connect();
  }

  async start(init: InstanceInit): Promise<void> {
    if (this.#backend === undefined) throw new Error('This process was not prepared');
    process.title = `sd-demo ${init.id}`;
    this.#runner = new LocalRunner(init, this.#backend, {
      ledger: { book: (payment) => this.#parent.request('book', payment) },
      onAnswer: (service, { attempts }) => this.#parent.notify('answered', service, attempts),
    });
    await this.#runner.start({ signal: new AbortController().signal }); // a parent that gives up kills the process
    this.#reports = setInterval(() => this.#reportTraffic(), 200);
  }

  slowDown(extraMs: number): Promise<void> {
    return this.#running.slowDown(extraMs);
  }

  busy(): Promise<void> {
    return this.#running.busy();
  }

  disappearance(gone: Named, options: DisappearanceOptions): Promise<Disappearance> {
    return this.#running.disappearance(gone, options);
  }

  versionsOf(service: ServiceName): Promise<readonly string[]> {
    return this.#running.versionsOf(service);
  }

  async drain(): Promise<void> {
    await this.#running.drain();
    await this.#leave();
  }

  async close(): Promise<void> {
    await this.#running.close();
    await this.#leave();
  }

  async #leave(): Promise<void> {
    clearInterval(this.#reports);
    await turn(); // until connections that were cut off have said so
    this.#reportTraffic();
    // From now on the parent's letting go does not end it: it ends by itself, unless something was left open.
    process.off('disconnect', endOrphaned);
  }

  #reportTraffic(): void {
    this.#parent.notify('traffic', this.#running.traffic);
  }

  get #running(): LocalRunner {
    if (this.#runner === undefined) throw new Error('This process runs nothing');
    return this.#runner;
  }
}

/** The parent is gone, and with it whoever would end this process. */
function endOrphaned(): void {
  process.exit(1);
}

new Child();
