import { describe, expect, it } from 'vitest';
import { Simulation } from '../simulation.ts';

describe('Simulation', () => {
  it('runs events in the order of their times', () => {
    const simulation = new Simulation(1);
    const rng = simulation.rng();
    const times: number[] = [];
    for (let count = 0; count < 1_000; count += 1) {
      simulation.at(rng() * 100, () => times.push(simulation.now()));
    }
    simulation.run(100);
    expect(times).toHaveLength(1_000);
    expect(times).toEqual(times.toSorted((one, other) => one - other));
  });

  it('runs events of one moment in the order in which they were asked for', () => {
    const simulation = new Simulation(1);
    const names: number[] = [];
    for (let name = 0; name < 100; name += 1) simulation.at(5, () => names.push(name));
    simulation.run(5);
    expect(names).toEqual(Array.from({ length: 100 }, (_, name) => name));
  });

  it('runs what an event asks for at its own moment', () => {
    const simulation = new Simulation(1);
    const times: number[] = [];
    simulation.at(5, () => simulation.setTimer(() => times.push(simulation.now()), 0));
    simulation.run(5);
    expect(times).toEqual([5]);
  });

  it('never goes back in time', () => {
    const simulation = new Simulation(1);
    const times: number[] = [];
    simulation.at(5, () => {
      simulation.at(2, () => times.push(simulation.now()));
      simulation.setTimer(() => times.push(simulation.now()), -1);
    });
    simulation.run(10);
    expect(times).toEqual([5, 5]);
  });

  it('does not run what was cancelled, before or at its moment', () => {
    const simulation = new Simulation(1);
    const ran: string[] = [];
    const early = simulation.setTimer(() => ran.push('early'), 10);
    simulation.at(10, () => late.cancel());
    const late = simulation.setTimer(() => ran.push('late'), 10);
    early.cancel();
    simulation.run(20);
    expect(ran).toEqual([]);
  });

  it('stops at the time it is told, and goes on from there', () => {
    const simulation = new Simulation(1);
    const times: number[] = [];
    for (const time of [1, 2, 3]) simulation.at(time, () => times.push(time));
    simulation.run(2);
    expect(times).toEqual([1, 2]);
    expect(simulation.now()).toBe(2);
    simulation.run(9);
    expect(times).toEqual([1, 2, 3]);
    expect(simulation.monotonic()).toBe(9);
  });

  it('lets promises settle before the next event, when it runs code that awaits', async () => {
    const simulation = new Simulation(1);
    const heard: string[] = [];
    simulation.at(1, () => void Promise.resolve().then(() => heard.push('promise of 1')));
    simulation.at(1, () => heard.push('2'));
    await simulation.runAsync(2);
    expect(heard).toEqual(['promise of 1', '2']);
  });

  it('draws the same numbers from the same seed, and others from another', () => {
    const draw = (seed: number): readonly number[] => {
      const rng = new Simulation(seed).rng();
      return Array.from({ length: 10 }, () => rng());
    };
    expect(draw(1)).toEqual(draw(1));
    expect(draw(2)).not.toEqual(draw(1));
  });

  it('gives each who asks a stream of their own', () => {
    const [shared, alone] = [new Simulation(1), new Simulation(1)];
    const greedy = shared.rng();
    for (let count = 0; count < 100; count += 1) greedy();
    alone.rng();
    expect(shared.rng()()).toBe(alone.rng()());
  });
});
