import { setFlagsFromString } from 'node:v8';
import { runInThisContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import { createInstance, parseInstance, type ServiceInstance } from '../src/index.ts';

setFlagsFromString('--allow-natives-syntax');
const sameHiddenClass = runInThisContext('(left, right) => %HaveSameMap(left, right)') as (
  left: object,
  right: object,
) => boolean;

const record = (port: number) => ({ service: 'orders', host: 'a', port, zone: 'z', weight: 2, future: 1 });

describe('thousands of instances', () => {
  it.each<[string, (port: number) => ServiceInstance | undefined]>([
    ['made', (port) => createInstance({ service: 'orders', host: 'a', port, zone: 'z', weight: 2 }, 1)],
    ['read', (port) => parseInstance(record(port), { service: 'orders' }).instance],
    ['read from text', (port) => parseInstance(JSON.stringify(record(port)), { service: 'orders' }).instance],
  ])('share one hidden class when %s, so that reading a field stays fast', (_how, make) => {
    const all = Array.from({ length: 2_000 }, (_, index) => make(index + 1));
    const last = all.at(-1);
    const alike = all.filter((one) => one !== undefined && last !== undefined && sameHiddenClass(one, last));
    expect(alike.length).toBeGreaterThan(1_900);
  });
});
