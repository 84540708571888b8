import { contestants, type Contestant, type ContestantName } from './contestants.ts';
import { costOf, type ClientCost } from './measure.ts';
import { populationInstance } from './population.ts';
import { serve } from '../../../../tools/bench/program.ts';

// One library, on as many Redis servers as it is asked to work on.
const make = contestants[process.argv[2] as ContestantName];
const connected = new Map<string, Contestant>();

export interface Job {
  readonly url: string;
  readonly operation: 'register' | 'update' | 'release' | 'lookUp';
  /** Of the whole population. */
  readonly services: number;
  /** Instances of the population that it is done with. */
  readonly from: number;
  readonly to: number;
  readonly atOnce: number;
}

const tasks = {
  async run({ url, operation, services, from, to, atOnce }: Job): Promise<ClientCost> {
    const contestant = connect(url);
    const instances = Array.from({ length: to - from }, (_, k) => populationInstance(from + k, services));
    return costOf(instances.length, atOnce, (k) => contestant[operation](instances[k]!)); // k is inside
  },

  /** What it takes for each instance. */
  async renewAll({ url }: { readonly url: string }): Promise<ClientCost> {
    const contestant = connect(url);
    const { wall, client } = await costOf(1, 1, () => contestant.renewAll());
    return { wall: wall / contestant.size, client: client / contestant.size };
  },
};

export type ContestantTasks = typeof tasks;
serve(tasks);

function connect(url: string): Contestant {
  const contestant = connected.get(url) ?? make(url);
  connected.set(url, contestant);
  return contestant;
}
