import type { Clock, Rng } from '@sd/core';
import type { Endpoint, Outcome, Strategy } from '@sd/load-balancers';
import { twoOf } from './two-draws.ts';

/**
 * go-zero's `p2c_ewma`: of two drawn at random, the lower load `sqrt(latency) * (in flight + 1)`, but the other one if
 * nobody picked that for a second. It draws up to three times for a pair that has succeeded more often than not lately;
 * the third pair is taken as it is. Latency and success are moving averages (10 s). A change of membership makes it
 * forget everything.
 *
 * Source: zeromicro/go-zero, `zrpc/internal/balancer/p2c/p2c.go`.
 */
export class GoZeroP2c implements Strategy {
  readonly #clock: Clock;
  readonly #rng: Rng;
  #nodes: readonly Node[] = [];
  #byEndpoint = new Map<Endpoint, Node>();

  constructor({ clock, rng }: { readonly clock: Clock; readonly rng: Rng }) {
    this.#clock = clock;
    this.#rng = rng;
  }

  update(endpoints: readonly Endpoint[]): void {
    this.#nodes = endpoints.map((endpoint) => ({
      endpoint,
      latencyNs: 0,
      success: allWell,
      endedAt: 0,
      pickedAt: 0,
    }));
    this.#byEndpoint = new Map(this.#nodes.map((node) => [node.endpoint, node]));
  }

  pick(): Endpoint | undefined {
    let pair = twoOf(this.#nodes, this.#rng);
    for (let draws = 1; draws < 3 && pair?.every(isHealthy) === false; draws += 1) {
      pair = twoOf(this.#nodes, this.#rng);
    }
    if (pair === undefined) return undefined;
    const [first, second] = pair;
    const [lower, higher] = load(first) > load(second) ? [second, first] : [first, second];
    const now = this.#clock.monotonic();
    const picked = now - higher.pickedAt > forcedAfterMs ? higher : lower;
    picked.pickedAt = now;
    return picked.endpoint;
  }

  finished(endpoint: Endpoint, outcome: Outcome, latencyMs: number): void {
    const node = this.#byEndpoint.get(endpoint);
    if (node === undefined) return;
    const now = this.#clock.monotonic();
    const kept = node.latencyNs === 0 ? 0 : Math.exp((node.endedAt - now) / decayMs);
    node.endedAt = now;
    const success = isAcceptable(outcome) ? allWell : 0;
    // Whole numbers, rounded down, as there.
    node.latencyNs = Math.floor(node.latencyNs * kept + latencyMs * 1e6 * (1 - kept));
    node.success = Math.floor(node.success * kept + success * (1 - kept));
  }
}

interface Node {
  readonly endpoint: Endpoint;
  latencyNs: number;
  success: number;
  endedAt: number;
  pickedAt: number;
}

function isHealthy({ success }: Node): boolean {
  return success > allWell / 2;
}

function load({ endpoint, latencyNs }: Node): number {
  return Math.floor(Math.sqrt(latencyNs + 1)) * (endpoint.inFlight + 1);
}

/** Deadline exceeded, internal, unavailable and data loss count against a node; cancellation does not. */
function isAcceptable(outcome: Outcome): boolean {
  return outcome === 'ok' || outcome === 'cancelled';
}

const allWell = 1_000;
const decayMs = 10_000;
const forcedAfterMs = 1_000;
