import type { Rng } from '@sd/core';
import { describe, expect, it } from 'vitest';
import { exponential, Server, type ServerOptions } from '../server.ts';
import { Simulation } from '../simulation.ts';

describe('Server', () => {
  // Expected: mean waits in queues with Poisson arrivals, by Erlang C and by Pollaczek and Khinchin.
  it.each([
    ['M/M/1 at 80 %: 40 ms', 1, 80, (_time: number, rng: Rng) => exponential(10, rng), 40],
    ['M/M/4 at 80 %: 7.46 ms', 4, 320, (_time: number, rng: Rng) => exponential(10, rng), 7.46],
    ['M/D/1 at 80 %: 20 ms', 1, 80, () => 10, 20],
  ])('makes requests wait as queueing theory says: %s', (_name, workers, perSecond, serviceMs, waitMs) => {
    const latencies = loaded({ workers, serviceMs }, perSecond, 1_000_000);
    expect(mean(latencies) - 10).toBeGreaterThan(0.95 * waitMs);
    expect(mean(latencies) - 10).toBeLessThan(1.05 * waitMs);
  });

  it('lets nobody wait without a limit of workers', () => {
    const latencies = loaded({ serviceMs: () => 10 }, 1_000, 10_000);
    expect(Math.min(...latencies)).toBeCloseTo(10);
    expect(Math.max(...latencies)).toBeCloseTo(10);
  });

  it('answers in the order of arrival', () => {
    const { simulation, server } = started({ workers: 1, serviceMs: () => 10 });
    const answered: string[] = [];
    for (const name of ['first', 'second', 'third']) {
      server.serve(() => answered.push(`${name} at ${simulation.now()}`));
    }
    simulation.run(100);
    expect(answered).toEqual(['first at 10', 'second at 20', 'third at 30']);
  });

  it('refuses at once what its queue cannot hold', () => {
    const { simulation, server } = started({ workers: 1, queue: 1, serviceMs: () => 10 });
    const answers: string[] = [];
    for (let count = 0; count < 3; count += 1) server.serve((outcome) => answers.push(outcome));
    expect(answers).toEqual(['overload']);
    simulation.run(100);
    expect(answers).toEqual(['overload', 'ok', 'ok']);
  });

  it('works and fails by the time at which the work begins', () => {
    const { simulation, server } = started({
      workers: 1,
      serviceMs: (time) => (time < 10 ? 10 : 1),
      outcome: (time) => (time < 10 ? 'ok' : 'error'),
    });
    const answers: string[] = [];
    for (let count = 0; count < 2; count += 1) {
      server.serve((outcome) => answers.push(`${outcome} at ${simulation.now()}`));
    }
    simulation.run(100);
    expect(answers).toEqual(['ok at 10', 'error at 11']);
  });

  it('counts the requests that came', () => {
    const { server } = started({ workers: 1, queue: 0, serviceMs: () => 10 });
    for (let count = 0; count < 3; count += 1) server.serve(() => undefined);
    expect(server.requests).toBe(3);
  });
});

function started(options: ServerOptions): { readonly simulation: Simulation; readonly server: Server } {
  const simulation = new Simulation(1);
  return { simulation, server: new Server(simulation, options) };
}

/** Latencies of requests that come at random. */
function loaded(options: ServerOptions, perSecond: number, untilMs: number): readonly number[] {
  const { simulation, server } = started(options);
  const rng = simulation.rng();
  const latencies: number[] = [];
  const come = (): void => {
    const cameAt = simulation.now();
    server.serve(() => latencies.push(simulation.now() - cameAt));
    const next = cameAt + exponential(1_000 / perSecond, rng);
    if (next < untilMs) simulation.at(next, come);
  };
  simulation.at(0, come);
  simulation.run(2 * untilMs);
  return latencies;
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
