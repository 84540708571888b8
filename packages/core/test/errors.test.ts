import { describe, expect, it, vi } from 'vitest';
import {
  AccessDeniedError,
  BackendUnavailableError,
  ClosedError,
  ConfigValidationError,
  DiscoveryError,
  LeaseLostError,
} from '../src/index.ts';
import { thrownBy } from './thrown-by.ts';

const cause = new Error('connect ECONNREFUSED');
const context = { service: 'orders', endpoint: '10.0.0.1:80', cause };

describe.each([
  [
    new ClosedError('DiscoveryClient', context),
    'ClosedError',
    'ERR_SD_CLOSED',
    'DiscoveryClient is closed. Make a new one, or close it later.',
  ],
  [
    new BackendUnavailableError('redis', 'no answer within 5000 ms', context),
    'BackendUnavailableError',
    'ERR_SD_BACKEND_UNAVAILABLE',
    'Backend "redis": no answer within 5000 ms',
  ],
  [
    new AccessDeniedError('redis', 'wrong password', context),
    'AccessDeniedError',
    'ERR_SD_ACCESS_DENIED',
    'Backend "redis" denied access: wrong password',
  ],
  [
    new LeaseLostError('orders', 'orders-1', 'expired', cause),
    'LeaseLostError',
    'ERR_SD_LEASE_LOST',
    'The registration of "orders-1" in service "orders" was lost: expired.',
  ],
])('%s', (error, name, code, message) => {
  it('has a name, a stable code and a message', () => {
    expect(error).toBeInstanceOf(DiscoveryError);
    expect(error).toMatchObject({ name, code, message });
    expect(String(error)).toBe(`${name}: ${message}`);
  });

  it('names its service and its cause', () => {
    expect(error).toMatchObject({ service: 'orders', cause });
  });
});

describe('a DiscoveryError', () => {
  it('has what its kind concerns at hand', () => {
    expect(new BackendUnavailableError('redis', 'down', context)).toMatchObject({
      backend: 'redis',
      endpoint: '10.0.0.1:80',
    });
    expect(new AccessDeniedError('etcd', 'no')).toMatchObject({ backend: 'etcd' });
    expect(new LeaseLostError('orders', 'orders-1', 'replaced')).toMatchObject({
      instanceId: 'orders-1',
      reason: 'replaced',
    });
  });

  it('has no cause, service or endpoint that nobody gave', () => {
    const error = new ClosedError('DiscoveryClient');
    expect(error).not.toHaveProperty('cause');
    expect([error.service, error.endpoint]).toEqual([undefined, undefined]);
  });

  it('of the configuration joins all mistakes and shows the first', () => {
    const issues = [
      { field: 'port', received: '0', expected: 'a port' },
      { field: '', received: 'missing', expected: 'an object' },
    ] as const;
    const error = new ConfigValidationError('Registry', issues, { service: 'orders' });
    expect(error).toMatchObject({ code: 'ERR_SD_CONFIG', service: 'orders', ...issues[0], issues });
    expect(error.message).toBe(
      'Registry: "port" is 0, expected a port; the value is missing, expected an object',
    );
  });

  it('is what it is to another copy of the package too', async () => {
    vi.resetModules();
    const other = await import('../src/index.ts');
    const replaced: unknown = new other.LeaseLostError('orders', 'orders-1', 'replaced');
    expect(other.LeaseLostError).not.toBe(LeaseLostError);
    expect(replaced instanceof LeaseLostError).toBe(true);
    expect(replaced instanceof DiscoveryError).toBe(true);
    expect(replaced instanceof ClosedError).toBe(false);
    expect(thrownBy(() => other.validateServiceName(''))).toBeInstanceOf(ConfigValidationError);
  });

  it('is neither another one nor what only looks like it', () => {
    class StoreClosedError extends ClosedError {}
    const closed: unknown = new ClosedError('DiscoveryClient');
    expect(new StoreClosedError('DiscoveryClient')).toBeInstanceOf(ClosedError);
    expect(closed instanceof StoreClosedError).toBe(false);
    expect(closed instanceof BackendUnavailableError).toBe(false);
    for (const other of [undefined, null, 'ERR_SD_CLOSED', { code: 'ERR_SD_CLOSED' }, cause])
      expect([other instanceof ClosedError, other instanceof DiscoveryError]).toEqual([false, false]);
  });
});
