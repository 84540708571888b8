import { sum } from '../sum.ts';

/** What is known of the instances of one priority: how many of them are in what condition. */
export interface LevelHealth {
  /** All but those that are starting, draining or out of service. */
  readonly total: number;
  readonly healthy: number;
  readonly degraded: number;
  /** Far slower than their peers. */
  readonly slow: number;
  /** Ejected for what they answered: in panic they are used all the same. */
  readonly doubtful: number;
  /** Nothing listens there: used only when there is nobody else at all. */
  readonly unreachable: number;
}

export interface LevelLoad {
  /** Share of all picks that its healthy instances get, and that its degraded and slow ones get. */
  readonly healthy: number;
  readonly degraded: number;
  /** Its good ones would be crushed: the doubtful ones are used too. */
  readonly panic: boolean;
  /** There is nobody else in any priority: its unreachable ones are used too. */
  readonly lastResort: boolean;
}

export interface PriorityOptions {
  /** Default: 1.4. */
  readonly overprovisioning: number;
  /** Share of available instances, 0 to 1. Default: 0.5. */
  readonly panicThreshold: number;
}

/**
 * Shares the load among priorities. The best gets all while `overprovisioning` times its healthy share is 1 or more, so
 * with the default until more than 28 % of it are down; what it cannot bear goes to the next, and then to degraded ones.
 * So does a slow one, but not for less than the share of one instance: of few, the others bear it as if it had failed.
 * Panic: when all priorities together cannot bear the load and in one fewer than `panicThreshold` are available.
 *
 * Source: Envoy's priority levels, degraded endpoints and panic threshold.
 */
export function priorityLoads(
  levels: readonly LevelHealth[],
  options: PriorityOptions,
): readonly LevelLoad[] {
  const { overprovisioning, panicThreshold } = options;
  const bears = (count: number, total: number): number =>
    total === 0 ? 0 : Math.min(1, (overprovisioning * count) / total);
  const healthy = levels.map((level) => bears(level.healthy, level.total));
  const standby = levels.map((level) => standbyOf(level, overprovisioning));
  const degraded = levels.map(({ total }, place) => bears(standby[place] ?? 0, total));
  const together = Math.min(1, sum(healthy) + sum(degraded));
  if (together === 0) return nobodyAvailable(levels);
  const fill = filler(together);
  const healthyLoads = healthy.map(fill);
  const degradedLoads = degraded.map(fill);
  return levels.map(({ healthy: good, doubtful }, place) => {
    const available = good + (standby[place] ?? 0);
    return {
      healthy: healthyLoads[place] ?? 0,
      degraded: degradedLoads[place] ?? 0,
      panic: together < 1 && doubtful > 0 && available / (available + doubtful) < panicThreshold,
      lastResort: false,
    };
  });
}

/** How many help out. */
function standbyOf({ total, healthy, degraded, slow }: LevelHealth, overprovisioning: number): number {
  const isLittle = total - overprovisioning * (healthy + degraded) < 1;
  return isLittle ? degraded : degraded + slow;
}

/** Fills one after the other, each up to what it bears, until the whole load is given away. */
function filler(together: number): (bears: number) => number {
  let left = 1;
  return (bears) => {
    const load = Math.min(left, bears / together);
    left -= load;
    return left < 1e-9 && load > 0 ? load + left : load; // what rounding left over
  };
}

function nobodyAvailable(levels: readonly LevelHealth[]): readonly LevelLoad[] {
  const doubtful = levels.findIndex((level) => level.doubtful > 0);
  const chosen = doubtful >= 0 ? doubtful : levels.findIndex((level) => level.unreachable > 0);
  return levels.map((_, place) => ({
    healthy: place === chosen ? 1 : 0,
    degraded: 0,
    panic: place === chosen,
    lastResort: place === chosen && doubtful < 0,
  }));
}
