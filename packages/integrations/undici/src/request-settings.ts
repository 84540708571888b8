import { isIdempotent } from '@sd/client';
import type { CallRules, DiscoveryClient } from '@sd/discovery';
import type { Dispatcher } from 'undici';
import type { DiscoverOptions } from './options.ts';
import { classifyUndiciFailure } from './undici-failure.ts';

/** What is the same for all requests. */
export class RequestSettings {
  readonly discovery: DiscoveryClient;
  /** `false`: none. */
  readonly deadlineHeader: string | false;
  readonly #options: DiscoverOptions;
  readonly #usual = new Map<string, CallRules>();

  constructor(options: DiscoverOptions) {
    this.discovery = options.discovery;
    this.deadlineHeader = options.deadlineHeader ?? 'sd-timeout-ms';
    this.#options = options;
  }

  /** Hot path. @param isOnce its body can be sent once */
  rulesOf(
    { method, idempotent = isIdempotent(method), upgrade }: Dispatcher.DispatchOptions,
    isOnce: boolean,
  ): CallRules {
    // Two instances would each get to see somebody who connects.
    const isRepeatable = idempotent && !isOnce && !upgrade;
    const name = isRepeatable ? method : `${method} once`;
    let usual = this.#usual.get(name);
    if (usual === undefined) {
      usual = this.#make(method, isRepeatable);
      if (this.#usual.size < mostUsual) this.#usual.set(name, usual);
    }
    return usual;
  }

  /** What must stick together. */
  keyOf(request: Dispatcher.DispatchOptions): string | undefined {
    return this.#options.key?.(request);
  }

  #make(method: string, idempotent: boolean): CallRules {
    const { strategy, filter, deadlineMs, attemptTimeoutMs, retries, hedge } = this.#options;
    const limits = { strategy, filter, deadlineMs, attemptTimeoutMs, retries, hedge };
    return this.discovery.rules({ ...limits, method, idempotent, classify: classifyUndiciFailure });
  }
}

/** Methods may come from strangers. */
const mostUsual = 100;
