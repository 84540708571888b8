import { anyRequest, EndpointPool, type Endpoint } from '@sd/load-balancers';
import { describe, expect, it } from 'vitest';
import { instances } from '../consumer.ts';
import { rival, withRivals } from '../rivals/index.ts';
import { ProbedServer } from '../rivals/probed-server.ts';
import { Simulation } from '../simulation.ts';

describe('the algorithms of others', () => {
  it.each(Object.values(rival))('%s: spreads requests over equal endpoints', (strategy) => {
    const picks = harness(strategy, 4);
    for (let count = 0; count < 400; count += 1) picks.answer(picks.pick(), 'ok', 10);
    for (const share of picks.shares()) expect(share).toBeGreaterThan(0.1);
  });

  it.each(Object.values(rival))('%s: picks nobody when there is nobody', (strategy) => {
    expect(harness(strategy, 0).pick()).toBeUndefined();
  });

  it.each(Object.values(rival))('%s: picks the one there is', (strategy) => {
    expect(harness(strategy, 1).pick()?.id).toBe('server-0');
  });

  it('full scan: picks an idle one while there is one', () => {
    const picks = harness(rival.fullScan, 5);
    const picked = Array.from({ length: 5 }, () => picks.pick()?.id);
    expect(new Set(picked).size).toBe(5);
  });

  it.each([rival.finagle, rival.goZero])('%s: prefers the faster of two', (strategy) => {
    const picks = harness(strategy, 2);
    for (let count = 0; count < 200; count += 1) {
      const endpoint = picks.pick();
      picks.answer(endpoint, 'ok', endpoint?.id === 'server-0' ? 100 : 10);
    }
    const [slow = 1] = picks.shares();
    expect(slow).toBeLessThan(0.2);
  });

  it("Finagle's: is attracted by what fails fast", () => {
    const [broken = 0] = withOneBroken(rival.finagle);
    expect(broken).toBeGreaterThan(0.35);
  });

  it("go-zero's: avoids what fails, but for pairs that it draws in vain", () => {
    const [broken = 1] = withOneBroken(rival.goZero);
    expect(broken).toBeLessThan(0.2);
  });

  it("go-zero's: picks the worse of two once a second", () => {
    const picks = harness(rival.goZero, 2);
    const times: number[] = [];
    for (let count = 0; count < 1_000; count += 1) {
      const endpoint = picks.pick();
      const isSlow = endpoint?.id === 'server-0';
      if (isSlow) times.push(picks.now());
      picks.answer(endpoint, 'ok', isSlow ? 500 : 10);
    }
    const late = times.filter((time) => time > 2_000);
    const apart = late.slice(1).map((time, place) => time - (late[place] ?? 0));
    expect(late.length).toBeGreaterThan(5);
    for (const each of apart) expect(each).toBeGreaterThan(1_000);
  });

  it("Prequal's: avoids servers that are loaded by others", () => {
    const simulation = new Simulation(1);
    const servers = fleet(simulation, 20);
    for (const id of ['server-0', 'server-1', 'server-2']) {
      for (let count = 0; count < 10; count += 1) servers.get(id)?.serve(() => undefined);
    }
    const picks = harness(rival.prequal, 20, simulation, servers);
    for (let count = 0; count < 200; count += 1) picks.answer(picks.pick(), 'ok', 10);
    const [loaded = 1] = picks.shares();
    expect(loaded).toBeLessThan(0.01);
  });
});

/** One of four fails in 1 ms, the others answer in 10. */
function withOneBroken(strategy: string): readonly number[] {
  const picks = harness(strategy, 4);
  for (let count = 0; count < 2_000; count += 1) {
    const endpoint = picks.pick();
    const isBroken = endpoint?.id === 'server-0';
    picks.answer(endpoint, isBroken ? 'error' : 'ok', isBroken ? 1 : 10);
  }
  return picks.shares();
}

/** Picks one after the other. */
function harness(
  strategy: string,
  size: number,
  simulation = new Simulation(1),
  servers = fleet(simulation, size),
) {
  const rng = simulation.rng();
  const pool = new EndpointPool({
    service: 'orders',
    clock: simulation,
    rng,
    factory: withRivals(servers),
  });
  pool.update(instances([...servers.keys()]));
  const counts = new Map<string, number>();
  let picked = 0;
  return {
    now: () => simulation.now(),
    pick(): Endpoint | undefined {
      const endpoint = pool.set(strategy).pick(anyRequest);
      picked += 1;
      if (endpoint !== undefined) counts.set(endpoint.id, (counts.get(endpoint.id) ?? 0) + 1);
      return endpoint;
    },
    answer(endpoint: Endpoint | undefined, outcome: 'ok' | 'error', afterMs: number): void {
      simulation.run(simulation.now() + afterMs);
      if (endpoint !== undefined) pool.finish(endpoint, outcome, afterMs);
    },
    /** By endpoint: its share of the picks. */
    shares: (): readonly number[] => [...servers.keys()].map((id) => (counts.get(id) ?? 0) / picked),
  };
}

function fleet(simulation: Simulation, size: number): ReadonlyMap<string, ProbedServer> {
  const ids = Array.from({ length: size }, (_, index) => `server-${index}`);
  return new Map(ids.map((id) => [id, new ProbedServer(simulation, { serviceMs: () => 1e9 })]));
}
