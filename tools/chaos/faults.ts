import { setTimeout as wait } from 'node:timers/promises';
import type { Faults } from '@sd/testkit';
import { patient } from './bad-entries.ts';
import type { ChaosStore } from './chaos-store.ts';
import type { Fleet } from './fleet.ts';
import type { HistoryWriter } from './history.ts';
import {
  describeFault,
  providerPlaces,
  resourcesOf,
  sentinelPlaces,
  type Fault,
  type Step,
} from './schedule.ts';

export interface FaultsOptions {
  readonly store: ChaosStore;
  readonly fleet: Fleet;
  readonly history: HistoryWriter;
  /** Called when the store may have forgotten something. */
  readonly onStoreBack: () => void;
}

/** Makes a schedule come true. Resolves when the last fault has ended, and rejects no earlier if one could not be committed. */
export async function perform(steps: readonly Step[], options: FaultsOptions): Promise<void> {
  const underWay = new Map<string, Promise<void>>();
  const ends = await Promise.allSettled(
    steps.map(async ({ atMs, fault }, index) => {
      await wait(atMs);
      // A machine that is busy may still be at the one before.
      const resources = resourcesOf(fault);
      const before = resources.flatMap((resource) => underWay.get(resource) ?? []);
      const done = Promise.all(before).then(() => new Perpetrator(options, index + 1).commit(fault));
      for (const resource of resources) underWay.set(resource, done);
      await done;
    }),
  );
  for (const end of ends) if (end.status === 'rejected') throw end.reason;
}

class Perpetrator {
  readonly #options: FaultsOptions;
  readonly #number: number;

  constructor(options: FaultsOptions, number: number) {
    this.#options = options;
    this.#number = number;
  }

  async commit(fault: Fault): Promise<void> {
    const { store, fleet, onStoreBack } = this.#options;
    switch (fault.name) {
      case 'kill-provider': {
        const victim = fleet.at({ role: 'provider', place: fault.place });
        return this.#during(fault, [victim.who], async () => {
          await victim.kill();
          await wait(fault.backAfterMs);
          await fleet.startProvider(fault.place, fault.sameAddress ? victim.port : undefined);
        });
      }
      case 'kill-consumer': {
        const victim = fleet.at({ role: 'consumer', place: fault.place });
        return this.#during(fault, [victim.who], async () => {
          await victim.kill();
          await wait(fault.backAfterMs);
          await fleet.startConsumer(fault.place);
        });
      }
      case 'freeze-provider':
      case 'freeze-consumer': {
        const role = fault.name === 'freeze-provider' ? 'provider' : 'consumer';
        const victim = fleet.at({ role, place: fault.place });
        return this.#during(fault, [victim.who], async () => {
          victim.freeze();
          await wait(fault.forMs);
          victim.thaw();
        });
      }
      case 'kill-store':
      case 'wipe-store':
      case 'reform-store':
        return this.#during(fault, ['store'], async () => {
          await store.kill();
          await wait(fault.forMs);
          await store.start({
            keepData: fault.name === 'kill-store',
            formAnew: fault.name === 'reform-store',
          });
          onStoreBack();
        });
      case 'freeze-store':
        return this.#during(fault, ['store'], async () => {
          await store.freeze();
          await wait(fault.forMs);
          await store.thaw();
        });
      case 'kill-sentinels':
      case 'freeze-sentinels': {
        const isAll = fault.sentinels.length === sentinelPlaces.length;
        const targets = isAll ? ['sentinels'] : fault.sentinels.map((place) => `sentinel-${place}`);
        const victims = fault.sentinels.flatMap((place) => store.sentinels?.servers[place - 1] ?? []);
        const [end, begin] =
          fault.name === 'kill-sentinels' ? (['kill', 'start'] as const) : (['freeze', 'thaw'] as const);
        return this.#during(fault, targets, async () => {
          for (const sentinel of victims) await sentinel[end]();
          await wait(fault.forMs);
          for (const sentinel of victims) await sentinel[begin]();
          await store.sentinels?.agree();
        });
      }
      case 'bad-entry': {
        const key = `bad-${this.#number}`;
        const entries = patient(store.badEntries);
        return this.#during(fault, ['store'], async () => {
          await entries.write(key);
          await wait(fault.forMs);
          await entries.remove(key);
        });
      }
      case 'cut-call':
      case 'slow-call': {
        const { provider, consumers } = fault;
        const victim = fleet.find({ role: 'provider', place: provider }); // all may just be gone here, too
        const targets =
          victim === undefined ? [] : [victim.who, ...consumers.map((place) => `consumer-${place}`)];
        return this.#during(fault, targets, async () => {
          await victim?.disturbCalls(consumers, faultsOf(fault));
          await wait(fault.forMs);
          await victim?.disturbCalls(consumers, {});
        });
      }
      case 'jump-clock': {
        const victim = fleet.find(fault.link); // all may just be gone, in a scale to zero
        return this.#during(fault, victim === undefined ? [] : [victim.who], async () =>
          victim?.jumpClock(fault.byMs),
        );
      }
      case 'deploy':
        return this.#during(fault, [], async () => {
          for (const place of providerPlaces) await fleet.replace(place);
        });
      case 'scale-up': {
        const added = Array.from({ length: fault.by }, (_, index) => providerPlaces.length + 1 + index);
        return this.#during(fault, [], async () => {
          await Promise.all(added.map((place) => fleet.startProvider(place)));
          await wait(fault.forMs);
          await Promise.all(added.map((place) => fleet.drain(place)));
        });
      }
      case 'scale-to-zero':
        return this.#during(fault, [], async () => {
          await Promise.all(providerPlaces.map((place) => fleet.drain(place)));
          await wait(fault.forMs);
          await Promise.all(providerPlaces.map((place) => fleet.startProvider(place)));
        });
      default:
        return this.#disturb(fault);
    }
  }

  async #disturb(fault: LinkFault): Promise<void> {
    const { who, network } = this.#options.fleet.at(fault.link);
    await this.#during(fault, [who], async () => {
      if (fault.name === 'reset') {
        network.reset();
        return;
      }
      if (fault.name === 'cut-off') await network.set({ blackHole: fault.direction });
      if (fault.name === 'slow-link') await network.set({ latencyMs: fault.latencyMs });
      if (fault.name === 'refuse') {
        await network.set({ refuse: true });
        network.reset();
      }
      await wait(fault.forMs);
      await network.heal();
    });
  }

  async #during(fault: Fault, targets: readonly string[], work: () => Promise<void>): Promise<void> {
    const event = {
      kind: 'fault',
      number: this.#number,
      fault: fault.name,
      targets,
      text: describeFault(fault),
    } as const;
    this.#options.history.write({ ...event, phase: 'begins' });
    await work();
    this.#options.history.write({ ...event, phase: 'ends' });
  }
}

const faultsOf = (fault: CallFault): Faults =>
  fault.name === 'cut-call' ? { blackHole: fault.direction } : { latencyMs: fault.latencyMs };

type CallFault = Extract<Fault, { readonly name: 'cut-call' | 'slow-call' }>;
type LinkFault = Extract<Fault, { readonly name: 'cut-off' | 'refuse' | 'reset' | 'slow-link' }>;
