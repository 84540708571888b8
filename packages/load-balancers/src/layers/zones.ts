import { sum } from '../sum.ts';

/**
 * The share of this consumer's picks that each zone gets: its own zone as far as that bears it, and the rest to zones
 * with capacity to spare, in proportion to what they have left when their own consumers have taken their share.
 *
 * Source: Envoy's zone-aware routing (`upstream/load_balancer_impl`), with the share of consumers per zone assumed equal
 * where it is not given.
 * @param capacities sums of weights, the own zone's first
 * @param clientShare of all consumers' load, the part that comes from the own zone, 0 to 1
 * @returns by place; they sum to 1
 */
export function zoneShares(capacities: readonly number[], clientShare?: number): readonly number[] {
  const [own = 0, ...others] = capacities;
  const total = own + sum(others);
  const clients = clientShare ?? 1 / capacities.length;
  if (own === 0 || total === 0) return capacities.map((capacity) => (total === 0 ? 0 : capacity / total));
  const direct = others.length === 0 ? 1 : Math.min(1, own / total / clients);
  const spare = others.map((capacity) => Math.max(0, capacity - (total * (1 - clients)) / others.length));
  return [direct, ...spare.map((capacity) => ((1 - direct) * capacity) / (sum(spare) || 1))];
}
