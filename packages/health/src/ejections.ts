import type { Rng } from '@sd/core';
import type { Endpoint, Outcome } from '@sd/load-balancers';
import type { DetectedPool } from './detected-pool.ts';
import type { EjectionCause, EndpointState, OutlierEvent } from './outlier-event.ts';
import type { OutlierRules } from './outlier-options.ts';
import { Setbacks } from './setbacks.ts';

export interface EjectionsParts {
  readonly pool: DetectedPool;
  readonly rules: OutlierRules;
  readonly rng: Rng;
  /** How many endpoints there are. */
  readonly size: () => number;
  readonly emit: (event: OutlierEvent) => void;
  /** An endpoint is back: what was known of it is void. */
  readonly onReturn: (endpoint: Endpoint) => void;
}

/**
 * The circuit breakers of endpoints: who is out, until when, who is probed, and how many may be out at once. Why
 * somebody goes is not decided here.
 */
export class Ejections {
  readonly #parts: EjectionsParts;
  /** Of those that are out, or were and have not been forgiven. */
  readonly #circuits = new Map<Endpoint, Circuit>();
  /** Those that are out, and of these, those that are out for how they answer. */
  #out = 0;
  #counted = 0;
  #due = Infinity;
  /** Those that would be out but for the cap, and when that they asked for is over. */
  readonly #spared = new Map<Endpoint, { readonly until: number }>();

  constructor(parts: EjectionsParts) {
    this.#parts = parts;
  }

  /** Hot path. */
  isOut(endpoint: Endpoint): boolean {
    return this.#circuits.size > 0 && this.stateOf(endpoint).value !== 'closed';
  }

  /** How many are out. */
  get out(): number {
    return this.#out;
  }

  stateOf(endpoint: Endpoint): EndpointState {
    return this.#circuits.get(endpoint)?.state ?? closed;
  }

  /** When the next one is due to be probed, or earlier. */
  get nextDue(): number {
    return this.#due;
  }

  /** Ejects an endpoint, or ejects it again, if the cap allows. */
  eject(endpoint: Endpoint, cause: EjectionCause, now: number): void {
    const circuit = this.#circuits.get(endpoint);
    if (circuit?.state.value === 'isolated') return;
    if (!this.#mayEject(circuit?.state ?? closed, cause)) {
      this.#spare(endpoint, cause, now);
      return;
    }
    this.#spared.delete(endpoint);
    this.#open(endpoint, circuit ?? this.#newCircuit(endpoint, now), cause, now);
  }

  /** What a look at one that is in rotation found; undefined: nothing. */
  judge(endpoint: Endpoint, cause: EjectionCause | undefined, now: number): void {
    if (cause !== undefined) {
      this.eject(endpoint, cause, now);
      return;
    }
    const spared = this.#spared.size === 0 ? undefined : this.#spared.get(endpoint);
    if (spared === undefined) return;
    if (spared.until > now) this.eject(endpoint, { reason: 'asked', askedMs: spared.until - now }, now);
    else this.#spared.delete(endpoint);
  }

  /** An attempt ended on an endpoint that is out. */
  finished(endpoint: Endpoint, outcome: Outcome, latencyMs: number, now: number): void {
    const circuit = this.#circuits.get(endpoint);
    if (circuit?.state.value !== 'half-open') return;
    // It was under way before: an answer to a question that was not asked. The margin is for sums of fractions.
    if (latencyMs > now - circuit.state.since + 0.001) return;
    if (outcome === 'ok') {
      this.#return(endpoint, circuit, now);
      return;
    }
    circuit.givenUp = outcome === 'cancelled' ? circuit.givenUp + 1 : 0;
    if (outcome === 'cancelled' && circuit.givenUp < enoughGivenUp) {
      this.#probe(endpoint, circuit, now);
      return;
    }
    const isUnreachable = outcome === 'connect-failure' && this.#parts.rules.connectFailures !== false;
    this.eject(
      endpoint,
      isUnreachable ? { reason: 'unreachable', consecutive: 1 } : { reason: 'probe', outcome },
      now,
    );
    // Reachable again, but no better for it, and too many are out: it cannot stay out as unreachable.
    if (this.#spared.has(endpoint)) this.#return(endpoint, circuit, now);
  }

  /** A connection to it is open: if that was all that spoke against it, it is back without a probe. */
  reached(endpoint: Endpoint, now: number): void {
    const circuit = this.#circuits.size === 0 ? undefined : this.#circuits.get(endpoint);
    if (circuit === undefined) return;
    const { state } = circuit;
    if (state.value !== 'open' && state.value !== 'half-open') return;
    if (state.reason === 'unreachable') this.#return(endpoint, circuit, now);
  }

  /** Probes those whose time is over. */
  wake(now: number): void {
    this.#due = Infinity;
    for (const [endpoint, circuit] of this.#circuits) {
      const { state, failures, connects } = circuit;
      if (state.value === 'open' && state.until > now) {
        this.#due = Math.min(this.#due, state.until);
      } else if (state.value === 'open') {
        this.#enter(circuit, { value: 'half-open', reason: state.reason, since: now });
        circuit.givenUp = 0;
        this.#parts.emit({ type: 'half-open', endpoint, reason: state.reason });
        this.#probe(endpoint, circuit, now);
      } else if (state.value === 'half-open') {
        // A caller that lost interest says nothing, so that the probe may be gone.
        if (isProbeLost(endpoint, circuit.probedAt, now)) this.#probe(endpoint, circuit, now);
      } else if (state.value === 'closed' && failures.areForgiven(now) && connects.areForgiven(now)) {
        this.#circuits.delete(endpoint);
      }
    }
  }

  /** All that are out for how they answered, as if it had not been: the others are no better. */
  letBack(now: number): void {
    if (this.#counted === 0) return;
    for (const [endpoint, circuit] of this.#circuits) {
      if (!countsForCap(circuit.state)) continue;
      this.#circuits.delete(endpoint); // first: whoever hears of its return may isolate it
      this.#return(endpoint, circuit, now);
    }
  }

  isolate(endpoint: Endpoint, now: number): void {
    const circuit = this.#circuits.get(endpoint) ?? this.#newCircuit(endpoint, now);
    if (circuit.state.value === 'isolated') return;
    const wasOut = circuit.state.value !== 'closed';
    this.#enter(circuit, { value: 'isolated', since: now });
    this.#spared.delete(endpoint);
    this.#parts.pool.isolate(endpoint, true);
    if (wasOut) this.#parts.pool.restore(endpoint);
    this.#parts.emit({ type: 'isolate', endpoint });
  }

  /** An isolated one starts anew. */
  release(endpoint: Endpoint): void {
    const circuit = this.#circuits.get(endpoint);
    if (circuit?.state.value !== 'isolated') return;
    this.#enter(circuit, closed);
    this.#circuits.delete(endpoint);
    this.#parts.onReturn(endpoint);
    this.#parts.pool.isolate(endpoint, false);
    this.#parts.emit({ type: 'release', endpoint });
  }

  /** It left the pool. */
  forget(endpoint: Endpoint): void {
    const circuit = this.#circuits.get(endpoint);
    if (circuit !== undefined) this.#enter(circuit, closed);
    this.#circuits.delete(endpoint);
    this.#spared.delete(endpoint);
  }

  /** Lets back all that it took out, but not what an operator did. */
  close(): void {
    for (const [endpoint, { state }] of this.#circuits) {
      if (state.value === 'open' || state.value === 'half-open') this.#parts.pool.restore(endpoint);
    }
    this.#circuits.clear();
    this.#spared.clear();
    this.#out = 0;
    this.#counted = 0;
  }

  get #most(): number {
    const { maxEjected } = this.#parts.rules;
    return maxEjected === false ? Infinity : Math.max(1, Math.floor(maxEjected * this.#parts.size()));
  }

  #mayEject(state: EndpointState, { reason }: EjectionCause): boolean {
    return reason === 'unreachable' || countsForCap(state) || this.#counted < this.#most;
  }

  #spare(endpoint: Endpoint, cause: EjectionCause, now: number): void {
    const isNews = !this.#spared.has(endpoint);
    if (isNews || cause.reason === 'asked')
      this.#spared.set(endpoint, { until: cause.reason === 'asked' ? now + cause.askedMs : -Infinity });
    if (!isNews) return;
    this.#parts.emit({ type: 'cap', endpoint, ejected: this.#counted, most: this.#most, ...cause });
  }

  #open(endpoint: Endpoint, circuit: Circuit, cause: EjectionCause, now: number): void {
    const { state, failures, connects } = circuit;
    const isUnreachable = cause.reason === 'unreachable';
    const setbacks = isUnreachable ? connects : failures;
    const forMs = cause.reason === 'asked' ? cause.askedMs : setbacks.next(now);
    const until = now + forMs;
    if (state.value === 'open' && state.until >= until) return; // it asks for less than it has
    if (state.value === 'closed') circuit.outSince = now;
    this.#enter(circuit, { value: 'open', reason: cause.reason, since: now, until });
    this.#due = Math.min(this.#due, until);
    const ejections = cause.reason === 'asked' ? 0 : setbacks.count;
    // A pool forgets that an endpoint is unreachable only when it is back.
    if (endpoint.unreachable && !isUnreachable) this.#parts.pool.restore(endpoint);
    this.#parts.pool.eject(endpoint, Infinity, { unreachable: isUnreachable });
    this.#parts.emit({ type: 'eject', endpoint, forMs, ejections, ...cause });
  }

  #return(endpoint: Endpoint, circuit: Circuit, now: number): void {
    const { state } = circuit;
    if (state.value !== 'half-open' && state.value !== 'open') return;
    this.#enter(circuit, closed);
    circuit.failures.passed(now);
    circuit.connects.passed(now);
    this.#parts.onReturn(endpoint);
    this.#parts.pool.restore(endpoint);
    this.#parts.emit({ type: 'return', endpoint, reason: state.reason, afterMs: now - circuit.outSince });
  }

  #probe(endpoint: Endpoint, circuit: Circuit, now: number): void {
    circuit.probedAt = now;
    this.#parts.pool.probe(endpoint);
  }

  #enter(circuit: Circuit, next: EndpointState): void {
    this.#counted += Number(countsForCap(next)) - Number(countsForCap(circuit.state));
    this.#out += Number(next.value !== 'closed') - Number(circuit.state.value !== 'closed');
    circuit.state = next;
  }

  #newCircuit(endpoint: Endpoint, now: number): Circuit {
    const { rules, rng } = this.#parts;
    const circuit: Circuit = {
      state: closed,
      failures: new Setbacks(rules.ejection, rng),
      connects: new Setbacks(rules.reconnection, rng),
      outSince: now,
      probedAt: now,
      givenUp: 0,
    };
    this.#circuits.set(endpoint, circuit);
    return circuit;
  }
}

interface Circuit {
  state: EndpointState;
  readonly failures: Setbacks;
  readonly connects: Setbacks;
  outSince: number;
  probedAt: number;
  /** Probes in a row that lost against another attempt of their call. */
  givenUp: number;
}

const closed: EndpointState = { value: 'closed' };

/** Losing once happens to the best; so often in a row it is an answer. */
const enoughGivenUp = 3;

/** A probe without a trace for so long is asked for again, in milliseconds. */
const reprobeMs = 5_000;

/** Or for so long where something is waited for that may be the probe. */
const latestReprobeMs = 30_000;

export function isProbeLost({ inFlight, answering }: Endpoint, probedAt: number, now: number): boolean {
  return now - probedAt >= (inFlight === answering ? reprobeMs : latestReprobeMs);
}

function countsForCap(state: EndpointState): boolean {
  return (state.value === 'open' || state.value === 'half-open') && state.reason !== 'unreachable';
}
