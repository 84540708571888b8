import { experimental, Metadata, status } from '@grpc/grpc-js';
import { SlotList, type Clock, type Timer } from '@sd/core';
import type { ServiceEndpoints } from '@sd/discovery';
import type { Endpoint, PickRequest } from '@sd/load-balancers';
import { Attempt, type AttemptOwner } from './attempt.ts';
import { CallTag, type CallInfo } from './call-info.ts';
import type { Connections } from './connections.ts';
import { NoConnectionError } from './errors.ts';
import { outcomeOf } from './outcome.ts';

export interface SdPickerParts {
  readonly endpoints: ServiceEndpoints;
  readonly connections: Connections;
  readonly keyMetadata: string | undefined;
  readonly clock: Clock;
  /** Nobody takes requests: somebody is to look when that changes. */
  readonly onNobody: () => void;
}

/**
 * Picks an endpoint of the pool to which a connection is open, and tells the pool what became of it. It lives as long as
 * the policy has its strategy: what changes, the pool and the connections know.
 */
export class SdPicker implements experimental.Picker, AttemptOwner {
  readonly #parts: SdPickerParts;
  readonly #endpoints: ServiceEndpoints;
  readonly #connections: Connections;
  readonly #clock: Clock;
  /** Picked, and not begun: grpc-js does not say when it gives a pick up, unless the call is over. */
  readonly #unbegun = new SlotList<Attempt>();
  #timer: Timer | undefined;
  #isClosed = false;

  constructor(parts: SdPickerParts) {
    this.#parts = parts;
    this.#endpoints = parts.endpoints;
    this.#connections = parts.connections;
    this.#clock = parts.clock;
  }

  /** Hot path. */
  pick({ metadata, extraPickInfo }: experimental.PickArgs): experimental.PickResult {
    const info = CallTag.infoOf(extraPickInfo);
    const request = this.#requestOf(info, metadata);
    try {
      const endpoint = this.#endpoints.pick(request);
      if (endpoint === undefined) return this.#nobody();
      const connection = this.#connections.of(endpoint);
      if (connection?.phase === 'ready') return this.#begin(endpoint, connection.subchannel, info);
      return this.#pickConnected(request, endpoint, info);
    } catch (error) {
      return refusal(status.INTERNAL, error); // a strategy of the user's
    }
  }

  started(attempt: Attempt): void {
    if (!attempt.isGivenUp) this.#unbegun.remove(attempt.slot);
    attempt.hasBegun = true;
    attempt.startedAt = this.#clock.monotonic();
  }

  answered({ endpoint, isGivenUp }: Attempt): void {
    if (!isGivenUp) this.#endpoints.answered(endpoint);
  }

  ended(attempt: Attempt, code: status): void {
    const { endpoint, info, reason, isGivenUp, isAnswered } = attempt;
    if (isGivenUp) return;
    const outcome = outcomeOf(code);
    // The deadline of a stream that has brought something is its own end.
    const isEnough = outcome === 'timeout' && info !== undefined && info.received > 0;
    const isMeasured = !isEnough && info?.isStream !== true;
    const durationMs = this.#clock.monotonic() - attempt.startedAt;
    const latencyMs = isMeasured ? durationMs : Number.NaN;
    this.#endpoints.done(endpoint, isEnough ? 'ok' : outcome, latencyMs, reason, isAnswered, durationMs);
  }

  /** It ends before its last pick has begun where it is cancelled meanwhile, or its credentials cannot be had. */
  over(attempt: Attempt): void {
    if (!attempt.hasBegun && !attempt.isGivenUp) this.#giveUp(attempt);
  }

  /** Gives up what has not begun. What has may end. */
  close(): void {
    this.#isClosed = true;
    this.#timer?.cancel();
    for (const attempt of this.#unbegun) this.#giveUp(attempt);
  }

  #requestOf(info: CallInfo | undefined, metadata: Metadata): PickRequest {
    const { keyMetadata } = this.#parts;
    const mayProbe = info?.isRepeatable === true;
    const tried = info === undefined ? once.tried : info.tried;
    if (keyMetadata === undefined && tried.length === 0) return mayProbe ? repeatable : once;
    const key = keyMetadata === undefined ? undefined : metadata.get(keyMetadata)[0];
    return { key: typeof key === 'string' ? key : undefined, tried, mayProbe };
  }

  #begin(
    endpoint: Endpoint,
    subchannel: experimental.SubchannelInterface,
    info: CallInfo | undefined,
  ): Attempt {
    info?.picked(endpoint);
    const attempt = new Attempt(this, endpoint, subchannel, this.#endpoints.reason, info);
    attempt.slot = this.#unbegun.add(attempt);
    if (info !== undefined) {
      attempt.earlier = info.pick;
      info.pick = attempt;
    }
    if (this.#timer === undefined) this.#sweepLater();
    return attempt;
  }

  /** The one that was picked has no connection: another has, perhaps. */
  #pickConnected(request: PickRequest, first: Endpoint, info: CallInfo | undefined): experimental.PickResult {
    const refused: Endpoint[] = [];
    const tried = [...request.tried];
    let endpoint: Endpoint | undefined = first;
    while (endpoint !== undefined) {
      const connection = this.#connections.of(endpoint);
      if (connection?.phase === 'ready') return this.#begin(endpoint, connection.subchannel, info);
      // One that is on trial has failed it; another is just not used.
      if (endpoint.unreachable) this.#endpoints.done(endpoint, 'connect-failure', 0);
      else this.#endpoints.release(endpoint);
      this.#connections.open(endpoint);
      if (refused.includes(endpoint) || refused.length >= mostRefused) break;
      refused.push(endpoint);
      tried.push(endpoint);
      endpoint = this.#endpoints.pick({ ...request, tried });
    }
    if (this.#connections.counts.connecting > 0) return queued;
    const { size, lastError } = this.#connections;
    return refusal(status.UNAVAILABLE, new NoConnectionError(this.#endpoints.service, size, lastError));
  }

  #nobody(): experimental.PickResult {
    const error = this.#endpoints.nobody();
    // gRFC A32: what a limit of requests refuses is dropped, so that it is neither queued nor retried.
    if (this.#endpoints.serves) return refusal(status.UNAVAILABLE, error, experimental.PickResultType.DROP);
    this.#parts.onNobody();
    return refusal(status.UNAVAILABLE, error);
  }

  #sweepLater(): void {
    if (!this.#isClosed) this.#timer = this.#clock.setTimer(this.#sweep, sweepMs);
  }

  /** A call that picked again leaves a pick that nobody gives back before it is over. */
  readonly #sweep = (): void => {
    this.#timer = undefined;
    for (const attempt of this.#unbegun) {
      if (attempt.isOverdue) this.#giveUp(attempt);
      else attempt.isOverdue = true;
    }
    if (this.#unbegun.size > 0) this.#sweepLater();
  };

  #giveUp(attempt: Attempt): void {
    attempt.isGivenUp = true;
    this.#unbegun.remove(attempt.slot);
    this.#endpoints.release(attempt.endpoint);
  }
}

/** A call may wait for its credentials between its pick and its begin, for this to twice this, in milliseconds. */
const sweepMs = 5_000;

/** So many endpoints without a connection are passed over in one pick. */
const mostRefused = 8;

const once: PickRequest = Object.freeze({ key: undefined, tried: Object.freeze([]), mayProbe: false });
const repeatable: PickRequest = Object.freeze({ ...once, mayProbe: true });

const queued: experimental.PickResult = Object.freeze({
  pickResultType: experimental.PickResultType.QUEUE,
  subchannel: null,
  status: null,
  onCallStarted: null,
  onCallEnded: null,
});

function refusal(
  code: status,
  error: unknown,
  pickResultType = experimental.PickResultType.TRANSIENT_FAILURE,
): experimental.PickResult {
  const details = error instanceof Error ? error.message : String(error);
  return {
    pickResultType,
    subchannel: null,
    status: { code, details, metadata: new Metadata() },
    onCallStarted: null,
    onCallEnded: null,
  };
}
