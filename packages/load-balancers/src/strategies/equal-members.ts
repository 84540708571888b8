import type { Rng } from '@sd/core';
import type { Endpoint } from '../endpoint.ts';
import { Rotation } from './rotation.ts';

/** The members of a strategy that takes all alike, whatever their weights. Those that are suspended have no turn. */
export abstract class EqualMembers {
  protected readonly rotation: Rotation;

  constructor(rng: Rng) {
    this.rotation = new Rotation(rng);
  }

  add(endpoint: Endpoint): void {
    this.rotation.add(endpoint);
  }

  remove(endpoint: Endpoint): void {
    this.rotation.remove(endpoint);
  }

  reweigh(): void {
    // Weights do not count, and warmth is read with each pick.
  }

  suspend(endpoint: Endpoint): void {
    this.rotation.remove(endpoint);
  }

  resume(endpoint: Endpoint): void {
    this.rotation.add(endpoint);
  }
}
