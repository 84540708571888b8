import {
  Client,
  Metadata,
  type CallOptions,
  type ClientDuplexStream,
  type ClientReadableStream,
  type ClientWritableStream,
  type MethodDefinition,
  type ServiceError,
} from '@grpc/grpc-js';

const write = (text: string): Buffer => Buffer.from(text);
const read = (bytes: Buffer): string => bytes.toString();

function method(
  name: string,
  requestStream: boolean,
  responseStream: boolean,
): MethodDefinition<string, string> {
  return {
    path: `/shop.v1.Orders/${name}`,
    requestStream,
    responseStream,
    requestSerialize: write,
    requestDeserialize: read,
    responseSerialize: write,
    responseDeserialize: read,
  };
}

/** A service whose messages are text, so that it needs no compiler. */
export const ordersService = {
  get: method('Get', false, false),
  list: method('List', false, true),
  send: method('Send', true, false),
  chat: method('Chat', true, true),
  /** Answers with the address that the call came from. */
  peer: method('Peer', false, false),
};

export type UnaryOptions = CallOptions & { readonly metadata?: Metadata };

/** For calls that are to wait until somebody takes them. */
export function waitForReady(): { readonly metadata: Metadata } {
  return { metadata: new Metadata({ waitForReady: true }) };
}

/** The client that a compiler would make. */
export class OrdersClient extends Client {
  get(request = 'any', options: UnaryOptions = {}): Promise<string> {
    return this.#ask(ordersService.get.path, request, options);
  }

  peer(): Promise<string> {
    return this.#ask(ordersService.peer.path, 'who', {});
  }

  #ask(path: string, request: string, options: UnaryOptions): Promise<string> {
    const { metadata = new Metadata(), ...rest } = options;
    return new Promise((resolve, reject) => {
      this.makeUnaryRequest(
        path,
        write,
        read,
        request,
        metadata,
        rest,
        (error: ServiceError | null, answer?: string) =>
          error === null ? resolve(answer ?? '') : reject(error),
      );
    });
  }

  list(request = 'any', options: CallOptions = {}): ClientReadableStream<string> {
    return this.makeServerStreamRequest(ordersService.list.path, write, read, request, options);
  }

  send(done: (error: ServiceError | null, answer?: string) => void): ClientWritableStream<string> {
    return this.makeClientStreamRequest(ordersService.send.path, write, read, done);
  }

  chat(options: CallOptions = {}): ClientDuplexStream<string, string> {
    return this.makeBidiStreamRequest(ordersService.chat.path, write, read, options);
  }
}
