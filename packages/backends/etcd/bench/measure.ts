import { createInstance, type ServiceInstance } from '@sd/core';

export function instanceOf(n: number, service = 'orders'): ServiceInstance {
  const metadata = { commit: '0123456789abcdef', started: '2026-11-01T00:00:00Z' };
  const place = {
    host: `10.0.${Math.floor(n / 250)}.${1 + (n % 250)}`,
    port: 8080,
    zone: 'eu-1',
    version: '1.2.3',
  };
  return createInstance({ service, id: `${service}-${n}`, ...place, metadata }, 1_767_225_600_000);
}

/** Milliseconds that the work takes. */
export async function timeOf(work: () => Promise<unknown>): Promise<number> {
  const startedAt = performance.now();
  await work();
  return performance.now() - startedAt;
}

export const range = (count: number): readonly number[] => Array.from({ length: count }, (_, n) => n);
