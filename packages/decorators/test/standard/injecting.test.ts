import { ServiceClient, type HttpTransport } from '@sd/client';
import { ConfigValidationError } from '@sd/core';
import { DiscoveryClient } from '@sd/discovery';
import { describe, expect, it } from 'vitest';
import {
  DiscoveryApp,
  InjectDiscoveryClient,
  InjectServiceClient,
  NotInjectedError,
} from '../../src/index.ts';
import { makeApp, thrownBy } from '../fixture.ts';

class Shop {
  @InjectServiceClient('orders') readonly orders!: ServiceClient;
  @InjectServiceClient('orders') accessor again!: ServiceClient;
  @InjectServiceClient('orders', { retries: 0 }) readonly hasty!: ServiceClient;
  @InjectServiceClient('users') readonly #users!: ServiceClient;
  @InjectDiscoveryClient() readonly discovery!: DiscoveryClient;
  readonly seenByConstructor: ServiceClient;

  readonly name: string;
  readonly open: boolean;

  constructor(name = 'unnamed', open = true) {
    this.name = name;
    this.open = open;
    this.seenByConstructor = this.orders;
  }

  get users(): ServiceClient {
    return this.#users;
  }
}

describe('what is injected', () => {
  it('is a client of the service, into fields, accessors and private fields', () => {
    const { orders, again, users } = makeApp().create(Shop);
    expect([orders, again, users]).toEqual([
      expect.any(ServiceClient),
      expect.any(ServiceClient),
      expect.any(ServiceClient),
    ]);
    expect([orders.service, again.service, users.service]).toEqual(['orders', 'orders', 'users']);
  });

  it('is there when the constructor runs', () => {
    const shop = makeApp().create(Shop);
    expect(shop.seenByConstructor).toBe(shop.orders);
  });

  it('is the discovery client of the app', () => {
    const app = makeApp();
    const { discovery } = app.create(Shop);
    expect(discovery).toBeInstanceOf(DiscoveryClient);
    expect(app.create(Shop).discovery).toBe(discovery);
  });

  it('leaves the arguments of the constructor to the caller', () => {
    expect(makeApp().create(Shop, 'corner shop', false)).toMatchObject({ name: 'corner shop', open: false });
  });
});

describe('a client', () => {
  it('is shared by all who want the same service with the same options', () => {
    class Other {
      @InjectServiceClient('orders', {}) readonly orders!: ServiceClient;
      @InjectServiceClient('orders', { retries: 0 }) readonly hasty!: ServiceClient;
    }
    const app = makeApp();
    const [shop, other] = [app.create(Shop), app.create(Other)];
    expect(shop.again).toBe(shop.orders);
    expect(other.orders).toBe(shop.orders);
    expect(other.hasty).toBe(shop.hasty);
    expect(shop.hasty).not.toBe(shop.orders);
  });

  it('is shared when what it asks for is what the app has for all', () => {
    const { orders, hasty } = makeApp({ client: { retries: 0 } }).create(Shop);
    expect(hasty).toBe(orders);
  });

  it('is not shared by those who want another transport', () => {
    const [one, two] = [new OwnTransport(), new OwnTransport()];
    class Two {
      @InjectServiceClient('orders', { transport: one }) readonly one!: ServiceClient;
      @InjectServiceClient('orders', { transport: two }) readonly two!: ServiceClient;
      @InjectServiceClient('orders', { transport: two }) readonly again!: ServiceClient;
    }
    const shop = makeApp().create(Two);
    expect(shop.one).not.toBe(shop.two);
    expect(shop.again).toBe(shop.two);
  });

  it('belongs to one app', () => {
    expect(makeApp().create(Shop).orders).not.toBe(makeApp().create(Shop).orders);
  });
});

describe('a class that extends another', () => {
  class Base {
    @InjectServiceClient('orders') readonly orders!: ServiceClient;
  }
  class Derived extends Base {
    @InjectServiceClient('users') readonly users!: ServiceClient;
  }

  it('has what its base wants, and what it wants itself', () => {
    const { orders, users } = makeApp().create(Derived);
    expect([orders.service, users.service]).toEqual(['orders', 'users']);
  });

  it('leaves its base as it was', () => {
    expect(makeApp().create(Base)).not.toHaveProperty('users');
  });
});

describe('a class that makes others in its constructor', () => {
  class Outer {
    @InjectServiceClient('before') readonly before!: ServiceClient;
    readonly inner: Shop;
    @InjectServiceClient('before') readonly after!: ServiceClient;

    constructor(make: () => Shop) {
      this.inner = make();
    }
  }
  class Late extends Outer {
    @InjectServiceClient('before') readonly last!: ServiceClient;
  }

  it('may do so with new: they are of the same app', () => {
    const app = makeApp();
    const { inner } = app.create(Outer, () => new Shop());
    expect(inner.orders).toBe(app.create(Shop).orders);
  });

  it('may do so with another app, without getting any of its clients', () => {
    const [app, other] = [makeApp(), makeApp()];
    const { before, last, inner } = app.create(Late, () => other.create(Shop));
    expect(last).toBe(before);
    expect(inner.orders).toBe(other.create(Shop).orders);
    expect(inner.orders).not.toBe(app.create(Shop).orders);
  });
});

describe('with plain new', () => {
  it('a class with a wish cannot be made, and the error names class and field', () => {
    const error = thrownBy(() => new Shop());
    expect(error).toBeInstanceOf(NotInjectedError);
    expect(error).toMatchObject({
      code: 'ERR_SD_NOT_INJECTED',
      message:
        'Nothing to inject into "orders" of Shop: it was made with new. ' +
        'Make it with create() or start() of a DiscoveryApp.',
    });
  });

  it('it cannot be made after a constructor threw in an app either', () => {
    class Broken {
      readonly own = true;
      constructor() {
        throw new Error('broken');
      }
    }
    expect(() => makeApp().create(Broken)).toThrow('broken');
    expect(() => new Shop()).toThrow(NotInjectedError);
  });

  it('it cannot be made after an await in a start, as that is another moment', async () => {
    const app = makeApp();
    app.create(Shop);
    await Promise.resolve();
    expect(() => new Shop()).toThrow(NotInjectedError);
  });
});

describe('an app', () => {
  it('names each wrong option', () => {
    // @ts-expect-error -- no such option
    expect(thrownBy(() => makeApp({ retries: 1 }))).toMatchObject({
      code: 'ERR_SD_CONFIG',
      field: 'retries',
    });
    expect(thrownBy(() => makeApp({ client: { retries: -1 } }))).toMatchObject({ field: 'client.retries' });
    expect(thrownBy(() => makeApp({ discovery: { retries: -1 } }))).toMatchObject({ field: 'retries' });
    expect(thrownBy(() => makeApp({ registry: { ttlMs: 1 } }))).toMatchObject({ field: 'ttlMs' });
    // @ts-expect-error -- it needs a backend
    expect(() => new DiscoveryApp({})).toThrow(ConfigValidationError);
  });
});

describe('the types', () => {
  it('refuse a field that takes something else, and arguments that are not wanted', () => {
    class Wrong {
      // @ts-expect-error -- not a client
      @InjectServiceClient('orders') readonly orders!: string;
      // @ts-expect-error -- a client of one service
      @InjectDiscoveryClient() accessor discovery!: ServiceClient;
    }
    const app = makeApp();
    app.create(Wrong);
    // @ts-expect-error -- its name is text
    app.create(Shop, 7);
  });
});

/** What tells two of them apart is private. */
class OwnTransport implements HttpTransport {
  readonly classify = nothing;
  exchange = unused;
  open = unused;
  close = unused;
}

const nothing = (): undefined => undefined;

function unused(): Promise<never> {
  return Promise.reject(new Error('not used'));
}
