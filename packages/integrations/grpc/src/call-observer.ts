import type { experimental, Metadata, StatusObject } from '@grpc/grpc-js';
import { CallInfo } from './call-info.ts';

type Filter = experimental.Filter;
type Message = Parameters<Filter['sendMessage']>[0];

/**
 * Counts the messages of a call, which is how a stream is told from a call with one answer: grpc-js does not say. A
 * filter that changes nothing, and hands on the promises it gets, so that it costs no turn of the event loop.
 */
export class CallObserver implements experimental.Filter, experimental.FilterFactory<CallObserver> {
  readonly #info: CallInfo;

  constructor(info: CallInfo) {
    this.#info = info;
  }

  /** A call has one filter of a kind: the factory is the filter. */
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
    CallInfo.sent(this.#info);
    return message;
  }

  receiveMessage(message: Promise<Buffer>): Promise<Buffer> {
    CallInfo.received(this.#info);
    return message;
  }

  receiveTrailers(status: StatusObject): StatusObject {
    return status;
  }
}
