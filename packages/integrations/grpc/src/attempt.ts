import { experimental, status } from '@grpc/grpc-js';
import type { Endpoint, PickReason } from '@sd/load-balancers';
import type { CallInfo } from './call-info.ts';

export interface AttemptOwner {
  started(attempt: Attempt): void;
  /** Its first message is there, and others may come. */
  answered(attempt: Attempt): void;
  ended(attempt: Attempt, code: status): void;
  /** The call is over. */
  over(attempt: Attempt): void;
}

/** A pick that is to become an attempt of a call: what grpc-js gets, and what it says of it. */
export class Attempt implements experimental.PickResult {
  readonly pickResultType = experimental.PickResultType.COMPLETE;
  readonly status = null;
  readonly subchannel: experimental.SubchannelInterface;
  /** grpc-js takes it off this object before it calls it, so that it is bound. */
  readonly onCallEnded: (code: status, details: string) => void;
  readonly endpoint: Endpoint;
  readonly reason: PickReason;
  readonly info: CallInfo | undefined;
  readonly #owner: AttemptOwner;
  /** Of the clock. */
  startedAt = 0;
  /** Among those that have not begun. */
  slot = 0;
  /** The pick before it of the same call: it picks again where the connection was lost, and hedges. */
  earlier: { over(): void } | undefined;
  hasBegun = false;
  isOverdue = false;
  isGivenUp = false;
  isAnswered = false;

  constructor(
    owner: AttemptOwner,
    endpoint: Endpoint,
    subchannel: experimental.SubchannelInterface,
    reason: PickReason,
    info: CallInfo | undefined,
  ) {
    this.subchannel = subchannel;
    this.endpoint = endpoint;
    this.reason = reason;
    this.info = info;
    this.#owner = owner;
    this.onCallEnded = (code, details) =>
      owner.ended(this, code === status.UNAVAILABLE && details === refused ? status.CANCELLED : code);
  }

  onCallStarted(): void {
    if (this.info !== undefined) this.info.attempt = this;
    this.#owner.started(this);
  }

  answered(): void {
    this.isAnswered = true;
    this.#owner.answered(this);
  }

  over(): void {
    this.#owner.over(this);
    this.earlier?.over();
  }
}

/**
 * What grpc-js says of a stream that no server has seen, as of those that cross a GOAWAY on their way: it repeats them by
 * itself. Where a server closes its connections from time to time, there are several in a row.
 */
const refused = 'Stream refused by server';
