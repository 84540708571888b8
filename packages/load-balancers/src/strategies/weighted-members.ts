import type { Rng } from '@sd/core';
import { grownFloats } from '../columns.ts';
import type { Endpoint } from '../endpoint.ts';
import { WeightClasses } from './weight-classes.ts';

/** The members of a strategy that goes by weight. Those that are suspended have their weight, but are in no class. */
export abstract class WeightedMembers {
  protected readonly classes: WeightClasses;
  /** By slot, without slow start. */
  protected weights = new Float64Array(0);

  constructor(rng: Rng) {
    this.classes = new WeightClasses(rng);
  }

  add(endpoint: Endpoint, weight: number): void {
    this.weights = grownFloats(this.weights, endpoint.slot + 1);
    this.weights[endpoint.slot] = weight;
    this.resume(endpoint);
  }

  remove(endpoint: Endpoint): void {
    this.classes.remove(endpoint);
  }

  reweigh(endpoint: Endpoint, weight: number): void {
    this.weights[endpoint.slot] = weight;
    if (this.classes.has(endpoint)) this.resume(endpoint);
  }

  suspend(endpoint: Endpoint): void {
    this.classes.remove(endpoint);
  }

  resume(endpoint: Endpoint): void {
    this.classes.set(endpoint, (this.weights[endpoint.slot] ?? 1) * endpoint.warmth);
  }
}
