import { faults, type FaultName } from './faults.ts';
import { Instance, type Ability } from './instance.ts';
import { now, serve } from '../../../tools/bench/program.ts';

// The instances of a service, in one process.
const instances: Instance[] = [];
let heals: (() => Promise<void>)[] = [];

const tasks = {
  /** @returns their ports */
  async start({ count, ability }: { readonly count: number; readonly ability: Ability }): Promise<number[]> {
    for (let place = 0; place < count; place += 1) instances.push(new Instance(ability, place));
    await Promise.all(instances.map((instance) => instance.listen()));
    return instances.map(({ port }) => port);
  },

  /** @returns when it has begun */
  async harm({
    fault,
    places,
  }: {
    readonly fault: FaultName;
    readonly places: readonly number[];
  }): Promise<number> {
    const harmed = instances.filter((_, place) => places.includes(place));
    heals = await Promise.all(harmed.map((instance) => faults[fault](instance)));
    return now();
  },

  /** @returns when all is well again */
  async heal(): Promise<number> {
    await Promise.all(heals.map((heal) => heal()));
    heals = [];
    return now();
  },
};

export type ServersTasks = typeof tasks;
serve(tasks);
