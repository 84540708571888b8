import { setTimeout as sleep } from 'node:timers/promises';
import type { ContestantName } from './contestants.ts';
import type { FaultName } from './faults.ts';
import type { Ability } from './instance.ts';
import type { Load, LoadReport, LoadTasks } from './load.program.ts';
import { Program } from '../../../tools/bench/program.ts';
import type { ServersTasks } from './servers.program.ts';

export const instanceCount = 3;

/** How often each contestant is seen with each fault. */
export const roundsOf = (quick: boolean): number => (quick ? 1 : 3);

/** What happens in a run, in this order; all in milliseconds. */
export interface Plan {
  /** Before anything counts. */
  readonly warmUpMs: number;
  readonly healthyMs: number;
  readonly faultMs: number;
  /** After the fault has ended; 0: the fault lasts until the last call has ended. */
  readonly afterMs: number;
}

/** What happened; times are in milliseconds since the epoch. */
export interface Run extends LoadReport {
  readonly warmAt: number;
  readonly faultAt: number;
  readonly faultEndsAt: number;
  /** When the last call had begun. */
  readonly endsAt: number;
  readonly ports: readonly number[];
  /** Share of a core that the contestant's process had during the fault; the rest waits for the servers. */
  readonly clientCpu: number;
}

/** The servers that all contestants meet, one after the other, each in a process of its own. */
export class Stage implements AsyncDisposable {
  readonly ports: readonly number[];
  readonly #servers: Program<ServersTasks>;

  private constructor(servers: Program<ServersTasks>, ports: readonly number[]) {
    this.#servers = servers;
    this.ports = ports;
  }

  static async build(ability: Ability): Promise<Stage> {
    const servers = new Program<ServersTasks>(new URL('servers.program.ts', import.meta.url));
    return new Stage(servers, await servers.ask('start', { count: instanceCount, ability }));
  }

  async run(scene: {
    readonly name: ContestantName;
    readonly fault: FaultName;
    /** Of the instances that have it. */
    readonly places: readonly number[];
    readonly load: Load;
    readonly attemptTimeoutMs: number;
    readonly plan: Plan;
  }): Promise<Run> {
    const { name, fault, places, load, attemptTimeoutMs, plan } = scene;
    await using contestant = new Program<LoadTasks>(new URL('load.program.ts', import.meta.url));
    await contestant.ask('begin', { name, load, ports: this.ports, attemptTimeoutMs });
    await sleep(plan.warmUpMs);
    const warmAt = Date.now();
    await sleep(plan.healthyMs);
    const faultAt = await this.#servers.ask('harm', { fault, places });
    const cpuBefore = await contestant.ask('cpuMs', undefined);
    await sleep(plan.faultMs);
    const clientCpu = ((await contestant.ask('cpuMs', undefined)) - cpuBefore) / plan.faultMs;
    let faultEndsAt = Infinity;
    if (plan.afterMs > 0) {
      faultEndsAt = await this.#servers.ask('heal', undefined);
      await sleep(plan.afterMs);
    }
    const endsAt = Date.now();
    const report = await contestant.ask('finish', undefined);
    if (plan.afterMs === 0) await this.#servers.ask('heal', undefined);
    return { ...report, warmAt, faultAt, faultEndsAt, endsAt, ports: this.ports, clientCpu };
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#servers[Symbol.asyncDispose]();
  }
}
