import { isIdempotent } from '@sd/client';
import type { CallOptions, DiscoveryClient } from '@sd/discovery';
import type { Dispatcher } from 'undici';
import type { DiscoverOptions } from './options.ts';
import { classifyUndiciFailure } from './undici-failure.ts';

/** What is the same for all requests. */
export class RequestSettings {
  readonly discovery: DiscoveryClient;
  /** `false`: none. */
  readonly deadlineHeader: string | false;
  readonly #options: DiscoverOptions;
  readonly #usual = new Map<string, CallOptions>();

  constructor(options: DiscoverOptions) {
    this.discovery = options.discovery;
    this.deadlineHeader = options.deadlineHeader ?? 'sd-timeout-ms';
    this.#options = options;
  }

  /** Hot path. @param isOnce its body can be sent once */
  callOptions(request: Dispatcher.DispatchOptions, isOnce: boolean): CallOptions {
    const { method, idempotent = isIdempotent(method) } = request;
    // Two instances would each get to see somebody who connects.
    const isRepeatable = idempotent && !isOnce && !request.upgrade;
    const name = isRepeatable ? method : `${method} once`;
    let usual = this.#usual.get(name);
    if (usual === undefined) {
      usual = this.#make(method, isRepeatable);
      if (this.#usual.size < mostUsual) this.#usual.set(name, usual);
    }
    const key = this.#options.key?.(request);
    return key === undefined ? usual : { ...usual, key };
  }

  #make(method: string, isRepeatable: boolean): CallOptions {
    const { strategy, filter, deadlineMs, attemptTimeoutMs, retries, hedge } = this.#options;
    return {
      strategy,
      filter,
      deadlineMs,
      attemptTimeoutMs,
      retries,
      hedge,
      method,
      idempotent: isRepeatable,
      classify: classifyUndiciFailure,
    };
  }
}

/** Methods may come from strangers. */
const mostUsual = 100;
