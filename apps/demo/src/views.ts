import type { DiscoveryClient } from '@sd/client';
import { onAbort } from '@sd/core';
import type { Fleet } from './fleet.ts';
import type { Instance } from './instance.ts';

/** Milliseconds until nobody's view has the instance any more; undefined if somebody's had it until the end. */
export async function timeUntilGone(
  instance: Instance,
  fleet: Fleet,
  { withinMs, signal }: { readonly withinMs: number; readonly signal: AbortSignal },
): Promise<number | undefined> {
  signal.throwIfAborted();
  const startedAt = performance.now();
  const over = new AbortController();
  const timer = setTimeout(() => over.abort(), withinMs);
  const forget = onAbort(signal, () => over.abort());
  const views = [fleet.discovery, ...fleet.serving('checkout').map(({ discovery }) => discovery)];
  try {
    const gone = await Promise.all(views.map((view) => hasLeft(view, instance, over.signal)));
    signal.throwIfAborted();
    return gone.every(Boolean) ? performance.now() - startedAt : undefined;
  } finally {
    clearTimeout(timer);
    forget();
  }
}

async function hasLeft(view: DiscoveryClient, gone: Instance, signal: AbortSignal): Promise<boolean> {
  for await (const { view: now } of view.watch(gone.service, { signal })) {
    if (!now.instances.some(({ id }) => id === gone.id)) return true;
  }
  return false;
}
