import { ServiceClient } from '@sd/client';
import { DiscoveryClient } from '@sd/discovery';
import { describe, expect, it } from 'vitest';
import { InjectDiscoveryClient, InjectServiceClient, ServiceRegistry } from '../../src/index.ts';
import { echoServer, makeApp, makeBackend, thrownBy } from '../fixture.ts';

class Shop {
  @InjectServiceClient('orders') readonly orders!: ServiceClient;

  constructor(
    readonly name: string,
    @InjectServiceClient('users') readonly users: ServiceClient,
    readonly open: boolean,
    @InjectDiscoveryClient() readonly discovery: DiscoveryClient,
  ) {}
}

describe('with experimentalDecorators', () => {
  it('properties are assigned, and decorated parameters of the constructor filled in between the others', () => {
    const shop = makeApp().create(Shop, 'corner shop', false);
    expect(shop).toMatchObject({ name: 'corner shop', open: false });
    expect([shop.orders.service, shop.users.service]).toEqual(['orders', 'users']);
    expect(shop.discovery).toBeInstanceOf(DiscoveryClient);
  });

  it('a client is shared, and belongs to one app', () => {
    const app = makeApp();
    const [one, two] = [app.create(Shop, 'one', true), app.create(Shop, 'two', true)];
    expect(one.orders).toBe(two.orders);
    expect(makeApp().create(Shop, 'three', true).orders).not.toBe(one.orders);
  });

  it('a class is started as its decorator says', async () => {
    @ServiceRegistry({ service: 'orders', host: '127.0.0.1' })
    class Orders {
      readonly server = echoServer().listen(0, '127.0.0.1');
      @InjectServiceClient('orders') readonly orders!: ServiceClient;
    }
    const backend = makeBackend();
    const { instance } = await makeApp({ backend }).start(Orders);
    expect(await backend.getInstances('orders')).toHaveLength(1);
    expect(await instance.orders.get('/7').text()).toBe('/7');
  });

  it('plain new leaves properties undefined: nobody is there to notice', () => {
    class Plain {
      @InjectServiceClient('orders') readonly orders!: ServiceClient;
    }
    expect(new Plain().orders).toBeUndefined();
  });
});

describe('a class that extends another, with experimentalDecorators,', () => {
  class Base {
    @InjectServiceClient('orders') readonly orders!: ServiceClient;
    constructor(@InjectServiceClient('users') readonly users: ServiceClient) {}
  }

  it('inherits properties, and parameters with the constructor', () => {
    class Derived extends Base {
      @InjectServiceClient('stock') readonly stock!: ServiceClient;
    }
    const { orders, users, stock } = makeApp().create(Derived);
    expect([orders.service, users.service, stock.service]).toEqual(['orders', 'users', 'stock']);
    expect(makeApp().create(Base)).not.toHaveProperty('stock');
  });

  it('inherits parameters also through a constructor that hands on all it gets, as that of a mixin does', () => {
    const mixin = (Class: typeof Base) =>
      class Mixed extends Class {
        readonly isMixed: boolean;
        constructor(...all: ConstructorParameters<typeof Base>) {
          super(...all);
          this.isMixed = true;
        }
      };
    expect(makeApp().create(mixin(Base))).toMatchObject({ isMixed: true, users: { service: 'users' } });
  });

  it('has the parameters of its own constructor only, also where they have defaults', () => {
    class Named extends Base {
      constructor(readonly name = 'unnamed') {
        super(makeApp().create(Base).users);
      }
    }
    expect(makeApp().create(Named).name).toBe('unnamed');
    expect(makeApp().create(Named, 'own').name).toBe('own');
  });

  it('has the parameters of its own constructor only', () => {
    class Own extends Base {
      constructor(readonly name: string) {
        super(makeApp().create(Base).users);
      }
    }
    expect(makeApp().create(Own, 'own').name).toBe('own');
  });
});

describe('a decorator in the wrong place, with experimentalDecorators, is a mistake:', () => {
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
      () => {
        class Wrong {
          @client find() {}
        }
        return Wrong;
      },
    ],
    [
      'a getter or setter',
      'orders',
      () => {
        class Wrong {
          @client get orders() {
            return 1;
          }
        }
        return Wrong;
      },
    ],
    [
      'a static property',
      'orders',
      () => {
        class Wrong {
          readonly own = true;
          @client static orders: ServiceClient;
        }
        return Wrong;
      },
    ],
    [
      'a parameter of a method',
      'find',
      () => {
        class Wrong {
          // @ts-expect-error -- the types refuse it, too
          find(@client orders: ServiceClient) {
            return orders;
          }
        }
        return Wrong;
      },
    ],
  ])('a client in %s', (received, field, define) => {
    expect(thrownBy(define)).toMatchObject({ code: 'ERR_SD_CONFIG', field, received });
  });

  it.each([
    [
      'a property',
      () => {
        class Wrong {
          // @ts-expect-error -- the types refuse it, too
          @service orders = 1;
        }
        return Wrong;
      },
    ],
    [
      'a method',
      () => {
        class Wrong {
          // @ts-expect-error -- the types refuse it, too
          @service orders() {}
        }
        return Wrong;
      },
    ],
  ])('a service on %s', (received, define) => {
    expect(thrownBy(define)).toMatchObject({ field: 'orders', received, expected: 'a class' });
  });

  it('a class that is two services', () => {
    const define = () => {
      @service
      @ServiceRegistry({ service: 'users' })
      class Twice {
        readonly own = true;
      }
      return Twice;
    };
    expect(thrownBy(define)).toMatchObject({ code: 'ERR_SD_CONFIG', field: 'Twice' });
  });
});
