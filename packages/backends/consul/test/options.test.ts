import { describe, expect, it } from 'vitest';
import { ConfigValidationError } from '@sd/core';
import { ConsulBackend } from '../src/index.ts';

const wrong: readonly (readonly [string, unknown])[] = [
  ['url', 'localhost:8500'],
  ['url', 'http://user:geheim@localhost:8500'],
  ['url', 'http://localhost:8500/?token=geheim'],
  ['url', 'http://localhost:8500/consul/'],
  ['token', ''],
  ['token', 'geheim geheim'],
  ['token', 5],
  ['tls', { ca: '' }],
  ['tls.cert', { cert: 'geheim' }],
  ['datacenter', 'dc 1'],
  ['namespace', ''],
  ['partition', 'a/b'],
  ['near', ''],
  ['filter', ''],
  ['consistency', 'eventual'],
  ['check', { kind: 'script' }],
  ['check.path', { kind: 'http', path: 'health' }],
  ['check.intervalMs', { kind: 'tcp', intervalMs: 1 }],
  ['deregisterAfterMs', 59_999],
  ['timeoutMs', 0],
  ['waitMs', 99],
  ['pollMs', Number.NaN],
  ['maxBlockingQueries', 0],
  ['maxBlockingQueries', 1.5],
  ['clock', {}],
  ['rng', 1],
  ['logger', {}],
  ['tokn', 'geheim'],
];

describe('the options of ConsulBackend', () => {
  it.each(wrong)('refuses a wrong "%s": %j', (field, value) => {
    const option = field.split('.')[0] ?? '';
    const make = () => new ConsulBackend({ [option]: value });
    expect(make).toThrow(ConfigValidationError);
    expect(make).toThrow(field.split('.').at(-1));
    expect(make).not.toThrow(/geheim/);
  });

  it('needs none', async () => {
    await new ConsulBackend().close();
  });
});
