import type { DiscoveryClient } from '@sd/client';
import type { ServiceView } from '@sd/core';

/** Which instance of which service. */
export interface Named {
  readonly service: string;
  readonly id: string;
}

/** How a view lost an instance. */
export interface Disappearance {
  /** Milliseconds until it had; undefined if it still had it when the wait was over. */
  readonly goneAfterMs: number | undefined;
  /**
   * What trouble with the store may have added to that, in milliseconds: until the view had found the store again, and
   * then as long as it may doubt what the store has forgotten. 0 without trouble.
   */
  readonly graceMs: number;
}

export interface DisappearanceOptions {
  /** Milliseconds until the wait is over, without the grace. */
  readonly withinMs: number;
  /** Trouble with the store since then counts, in milliseconds since the epoch. */
  readonly troubleSince: number;
}

/**
 * Watches how a view loses an instance.
 * While the store is away, nothing can be said of that: then it waits on, until the client is closed.
 */
export async function disappearance(
  discovery: DiscoveryClient,
  gone: Named,
  options: DisappearanceOptions & { readonly doubtMs: number },
): Promise<Disappearance> {
  const wait = new Wait(options);
  try {
    for await (const { view } of discovery.watch(gone.service, { signal: wait.over })) {
      wait.see(view);
      if (!view.instances.some(({ id }) => id === gone.id))
        return { goneAfterMs: wait.elapsedMs, graceMs: wait.graceMs };
    }
    return { goneAfterMs: undefined, graceMs: wait.graceMs };
  } finally {
    wait.pause();
  }
}

/** A wait that pauses while the view has lost its store, and makes up for that afterwards. */
class Wait {
  readonly #options: DisappearanceOptions & { readonly doubtMs: number };
  readonly #startedAt = Date.now(); // the clock of views
  readonly #over = new AbortController();
  #graceMs = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: DisappearanceOptions & { readonly doubtMs: number }) {
    this.#options = options;
    this.#goOn();
  }

  get over(): AbortSignal {
    return this.#over.signal;
  }

  get elapsedMs(): number {
    return Date.now() - this.#startedAt;
  }

  get graceMs(): number {
    return this.#graceMs;
  }

  see({ state, since, held }: ServiceView): void {
    this.pause();
    if (state === 'stale') return;
    // A slow reader may have missed that it was stale, but sees since when it is live.
    if (since > this.#options.troubleSince || held > 0)
      this.#graceMs = Math.max(0, since - this.#startedAt) + this.#options.doubtMs;
    this.#goOn();
  }

  pause(): void {
    clearTimeout(this.#timer);
  }

  #goOn(): void {
    const leftMs = this.#options.withinMs + this.#graceMs - this.elapsedMs;
    this.#timer = setTimeout(() => this.#over.abort(), Math.max(0, leftMs));
  }
}
