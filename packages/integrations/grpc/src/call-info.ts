import type { experimental, Metadata, StatusObject } from '@grpc/grpc-js';
import type { Endpoint } from '@sd/load-balancers';

const nobody: readonly Endpoint[] = Object.freeze([]);

type Message = Parameters<experimental.Filter['sendMessage']>[0];

/**
 * What is known of one call of the application, over all its attempts. It counts the messages of the call, which is how a
 * stream is told from a call with one answer: grpc-js does not say. For that it is a filter that changes nothing, and
 * hands on the promises it gets, so that it costs no turn of the event loop; a call has one, so that it is its own factory.
 */
export class CallInfo implements experimental.Filter, experimental.FilterFactory<CallInfo> {
  /** The service config has it repeated where it fails. */
  readonly isRepeatable: boolean;
  // Public, because private fields take several times as long to make, and there is one of these for each call.
  sent = 0;
  received = 0;
  first: Endpoint | undefined = undefined;
  others: Endpoint[] | undefined = undefined;
  /** The last attempt that has begun. */
  attempt: { answered(): void } | undefined = undefined;
  /** The last that was picked, begun or not. */
  pick: { over(): void } | undefined = undefined;

  constructor(isRepeatable: boolean) {
    this.isRepeatable = isRepeatable;
  }

  /** The endpoints of its attempts so far. */
  get tried(): readonly Endpoint[] {
    if (this.first === undefined) return nobody;
    return (this.others ??= [this.first]);
  }

  /** Whether it has more than one message in a direction, so that how long it takes says nothing of the instance. */
  get isStream(): boolean {
    return this.sent > 1 || this.received > 1;
  }

  picked(endpoint: Endpoint): void {
    if (this.first === undefined) this.first = endpoint;
    else (this.others ??= [this.first]).push(endpoint);
  }

  createFilter(): this {
    return this;
  }

  sendMetadata(metadata: Promise<Metadata>): Promise<Metadata> {
    return metadata;
  }

  receiveMetadata(metadata: Metadata): Metadata {
    return metadata;
  }

  sendMessage(message: Message): Message {
    this.sent += 1;
    return message;
  }

  receiveMessage(message: Promise<Buffer>): Promise<Buffer> {
    this.received += 1;
    if (this.received === 1) this.attempt?.answered();
    return message;
  }

  receiveTrailers(status: StatusObject): StatusObject {
    this.pick?.over();
    return status;
  }
}

/** Carries it from the config selector to each pick: grpc-js has an object of strings for that, so that all is private. */
export class CallTag {
  readonly [text: string]: string;
  readonly #info: CallInfo;

  constructor(info: CallInfo) {
    this.#info = info;
  }

  /** Undefined: the call was configured by somebody else. */
  static infoOf(extraPickInfo: object): CallInfo | undefined {
    return #info in extraPickInfo ? extraPickInfo.#info : undefined;
  }
}
