import { ConfigValidationError } from '@sd/core';
import { describe, expect, it } from 'vitest';
import { InjectDiscoveryClient, InjectServiceClient, ServiceRegistry } from '../../src/index.ts';
import { thrownBy } from '../fixture.ts';

// The types refuse these as well, but not everybody has types.
describe('a decorator in the wrong place is a mistake that is named when the class is defined:', () => {
  const expected = 'a field, accessor or property of instances, or a parameter of the constructor';
  const client = InjectServiceClient('orders');
  const service = ServiceRegistry({ service: 'orders' });

  it.each([
    [
      'a class',
      'Wrong',
      () => {
        // @ts-expect-error -- the types refuse it, too
        @client
        class Wrong {
          readonly own = true;
        }
        return Wrong;
      },
    ],
    [
      'a method',
      'find',
      () =>
        class {
          readonly own = true;
          // @ts-expect-error -- the types refuse it, too
          @client find() {}
        },
    ],
    [
      'a getter',
      'orders',
      () =>
        class {
          readonly own = true;
          // @ts-expect-error -- the types refuse it, too
          @client get orders() {
            return 1;
          }
        },
    ],
    [
      'a setter',
      'orders',
      () =>
        class {
          readonly own = true;
          // @ts-expect-error -- the types refuse it, too
          @client set orders(_value: number) {}
        },
    ],
    [
      'a static field',
      'orders',
      () =>
        class {
          readonly own = true;
          // @ts-expect-error -- the types refuse it, too
          @client static orders: number;
        },
    ],
    [
      'a static accessor',
      'orders',
      () =>
        class {
          readonly own = true;
          // @ts-expect-error -- the types refuse it, too
          @client static accessor orders = 1;
        },
    ],
    [
      'a static method',
      'find',
      () =>
        class {
          readonly own = true;
          // @ts-expect-error -- the types refuse it, too
          @client static find() {}
        },
    ],
  ])('a client in %s', (received, field, define) => {
    const error = thrownBy(define);
    expect(error).toBeInstanceOf(ConfigValidationError);
    expect(error).toMatchObject({ field, received, expected });
    expect(error).toHaveProperty(
      'message',
      `@InjectServiceClient: "${field}" is ${received}, expected ${expected}`,
    );
  });

  it.each([
    [
      'a field',
      () =>
        class {
          readonly own = true;
          // @ts-expect-error -- the types refuse it, too
          @service orders = 1;
        },
    ],
    [
      'an accessor',
      () =>
        class {
          readonly own = true;
          // @ts-expect-error -- the types refuse it, too
          @service accessor orders = 1;
        },
    ],
    [
      'a method',
      () =>
        class {
          readonly own = true;
          // @ts-expect-error -- the types refuse it, too
          @service orders() {}
        },
    ],
  ])('a service on %s', (received, define) => {
    expect(thrownBy(define)).toMatchObject({ field: 'orders', received, expected: 'a class' });
  });

  it('the discovery client in a method', () => {
    const define = () =>
      class {
        // @ts-expect-error -- the types refuse it, too
        @InjectDiscoveryClient() find() {}
      };
    expect(thrownBy(define)).toHaveProperty(
      'message',
      `@InjectDiscoveryClient: "find" is a method, expected ${expected}`,
    );
  });

  it('two services of one class', () => {
    const define = () => {
      @ServiceRegistry({ service: 'orders' })
      @ServiceRegistry({ service: 'users' })
      class Twice {
        readonly own = true;
      }
      return Twice;
    };
    expect(thrownBy(define)).toMatchObject({
      code: 'ERR_SD_CONFIG',
      field: 'Twice',
      received: 'decorated twice, first as service "users"',
    });
  });
});

describe('a wrong argument is named where it stands:', () => {
  it.each([
    ['an empty name', () => InjectServiceClient(''), 'service'],
    ['a name that no store can hold', () => InjectServiceClient('a/b'), 'service'],
    // @ts-expect-error -- no such option
    ['an option that there is not', () => InjectServiceClient('orders', { retriess: 1 }), 'retriess'],
    ['an option that is wrong', () => InjectServiceClient('orders', { retries: -1 }), 'retries'],
    // @ts-expect-error -- the app knows it
    ['what the app knows', () => InjectServiceClient('orders', { discovery: undefined }), 'discovery'],
    ['a service without a name', () => ServiceRegistry({ service: '' }), 'service'],
    // @ts-expect-error -- it needs one
    ['a service that is not said', () => ServiceRegistry({}), 'service'],
    // @ts-expect-error -- it needs one
    ['a service without options', () => ServiceRegistry(), ''],
    // @ts-expect-error -- no such field
    ['a field that there is not', () => ServiceRegistry({ service: 'orders', wait: 1 }), 'wait'],
    ['a weight that is none', () => ServiceRegistry({ service: 'orders', weight: -1 }), 'weight'],
    ['a port that is none', () => ServiceRegistry({ service: 'orders', port: 0 }), 'port'],
  ])('%s', (_what, decorate, field) => {
    expect(thrownBy(decorate)).toMatchObject({ code: 'ERR_SD_CONFIG', field });
  });
});
