import { onAbort } from '@sd/core';
import type { IDuplexStream, ILeaseKeepAliveRequest, ILeaseKeepAliveResponse } from 'etcd3';
import type { Link } from './link.ts';

/** Renewals of leases over one stream of etcd, which answers them in order. */
export class KeepAliveStream {
  readonly #stream: IDuplexStream<ILeaseKeepAliveRequest, ILeaseKeepAliveResponse>;
  readonly #link: Link;
  readonly #forget: () => void;
  /** Those without an answer, in order. */
  #asked: Asked[] = [];
  #isOpen = true;

  constructor(stream: IDuplexStream<ILeaseKeepAliveRequest, ILeaseKeepAliveResponse>, link: Link) {
    this.#stream = stream;
    this.#link = link;
    this.#forget = onAbort(link.closed, () => this.#end(link.closed.reason));
    stream.on('data', (answer) => this.#onAnswer(answer));
    stream.on('error', (error) => this.#end(error));
    stream.on('end', () => this.#end(new Error('etcd has ended the stream of renewals')));
    if (!link.isOpen) this.#end(link.closed.reason);
  }

  isOpenOn(link: Link): boolean {
    return this.#isOpen && this.#link === link;
  }

  /** @throws the error of the stream, or the reason of the signal */
  renew(id: string, signal: AbortSignal): Promise<ILeaseKeepAliveResponse> {
    return new Promise((resolve, reject) => {
      this.#link.asked();
      const forget = onAbort(signal, () => {
        reject(signal.reason as Error);
        // What has not answered this one will not answer the next ones sooner.
        this.#end(new Error('a renewal had no answer'));
      });
      this.#asked.push({ id, resolve, reject, forget });
      this.#stream.write({ ID: id });
    });
  }

  #onAnswer(answer: ILeaseKeepAliveResponse): void {
    this.#link.heard();
    const asked = this.#asked.shift();
    asked?.forget();
    asked?.resolve(answer);
    if (asked !== undefined && asked.id !== answer.ID)
      this.#end(new Error('etcd answered for another lease'));
  }

  #end(error: unknown): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#forget();
    this.#stream.cancel();
    for (const { forget, reject } of this.#asked.splice(0)) {
      forget();
      reject(error);
    }
  }
}

interface Asked {
  readonly id: string;
  readonly resolve: (answer: ILeaseKeepAliveResponse) => void;
  readonly reject: (error: unknown) => void;
  readonly forget: () => void;
}
