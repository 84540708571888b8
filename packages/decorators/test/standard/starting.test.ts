import { ServiceClient } from '@sd/client';
import { ClosedError, ConfigValidationError } from '@sd/core';
import type { DiscoveryClient } from '@sd/discovery';
import { eventually } from '@sd/testkit';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { connect, createServer as createTcpServer, type Server as TcpServer } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { InjectDiscoveryClient, InjectServiceClient, ServiceRegistry } from '../../src/index.ts';
import { echoServer, event, makeApp, makeBackend, makeReadOnlyBackend, portOf } from '../fixture.ts';

@ServiceRegistry({ service: 'orders', host: '127.0.0.1', zone: 'eu-1a' })
class Orders {
  @InjectServiceClient('orders') readonly orders!: ServiceClient;
  readonly server = echoServer();

  listen(): Server {
    return this.server.listen(0, '127.0.0.1');
  }
}

describe('start', () => {
  it('publishes the class as its decorator says, where its server listens', async () => {
    const backend = makeBackend();
    const { instance, registration } = await makeApp({ backend }).start(Orders);
    expect(await backend.getInstances('orders')).toEqual([registration.instance]);
    expect(registration.instance).toMatchObject({ service: 'orders', zone: 'eu-1a' });
    expect(instance.server.address()).toMatchObject({ port: registration.instance.port });
    expect(await instance.orders.get('/7').text()).toBe('/7');
  });

  it('waits for listen() before others can find it', async () => {
    const backend = makeBackend();
    const ready = event();
    @ServiceRegistry({ service: 'orders' })
    class Slow {
      async listen(): Promise<Server> {
        await ready.happened;
        return echoServer().listen(0, '127.0.0.1');
      }
    }
    const starting = makeApp({ backend }).start(Slow);
    expect(await backend.getInstances('orders')).toEqual([]);
    ready.happen();
    await starting;
    expect(await backend.getInstances('orders')).toHaveLength(1);
  });

  it('takes a server that listens since the constructor ran', async () => {
    @ServiceRegistry({ service: 'orders' })
    class Eager {
      readonly server = echoServer().listen(0, '127.0.0.1');
    }
    const { registration } = await makeApp().start(Eager);
    expect(registration.state.value).toBe('published');
  });

  it('takes the server that only listen() knows', async () => {
    @ServiceRegistry({ service: 'orders' })
    class Closure {
      listen = async () => echoServer().listen(0, '127.0.0.1');
    }
    const { registration } = await makeApp().start(Closure);
    expect(registration.state.value).toBe('published');
  });

  it('needs no server where the decorator names a port', async () => {
    @ServiceRegistry({ service: 'orders', host: '10.0.0.7', port: 50_051, protocol: 'grpc' })
    class Grpc {
      listened = false;
      async listen() {
        this.listened = true;
      }
    }
    const { instance, registration } = await makeApp().start(Grpc);
    expect(instance.listened).toBe(true);
    expect(registration.instance).toMatchObject({ host: '10.0.0.7', port: 50_051, protocol: 'grpc' });
  });

  it('publishes the port that the decorator names, where that is not the one of the server', async () => {
    @ServiceRegistry({ service: 'orders', port: 80 })
    class Mapped extends Orders {}
    const { registration } = await makeApp().start(Mapped);
    expect(registration.instance.port).toBe(80);
  });

  it('hands arguments on to the constructor', async () => {
    @ServiceRegistry({ service: 'orders' })
    class Named extends Orders {
      readonly name: string;
      constructor(name: string) {
        super();
        this.name = name;
      }
    }
    const { instance } = await makeApp().start(Named, 'corner shop');
    expect(instance.name).toBe('corner shop');
  });

  it('publishes a class that extends a decorated one, in its place or beside it', async () => {
    class Again extends Orders {}
    @ServiceRegistry({ service: 'users' })
    class Users extends Orders {}
    const backend = makeBackend();
    const app = makeApp({ backend });
    await Promise.all([app.start(Orders), app.start(Again), app.start(Users)]);
    expect(await backend.getInstances('orders')).toHaveLength(2);
    expect(await backend.getInstances('users')).toHaveLength(1);
  });

  it('knows nothing of what other apps in the process have started', async () => {
    const backend = makeBackend();
    const [one, two] = [makeApp({ backend }), makeApp({ backend })];
    await Promise.all([one.start(Orders), two.start(Orders)]);
    await one.stop();
    expect(await backend.getInstances('orders')).toMatchObject([{ status: 'healthy' }]);
  });
});

describe('start refuses', () => {
  it('a class that is no service', async () => {
    class Plain {
      readonly server = echoServer();
    }
    await expect(makeApp().start(Plain)).rejects.toMatchObject({
      code: 'ERR_SD_CONFIG',
      message: expect.stringContaining('"Plain" is a class without @ServiceRegistry') as unknown,
    });
  });

  it('a class that it has started already, until that is deregistered', async () => {
    const app = makeApp();
    const { registration } = await app.start(Orders);
    await expect(app.start(Orders)).rejects.toMatchObject({ code: 'ERR_SD_CONFIG', field: 'Orders' });
    await registration.drain();
    await expect(app.start(Orders)).resolves.toBeDefined();
  });

  it('a class that it is starting', async () => {
    const app = makeApp();
    const first = app.start(Orders);
    await expect(app.start(Orders)).rejects.toBeInstanceOf(ConfigValidationError);
    await first;
  });

  it('a class without a server', async () => {
    @ServiceRegistry({ service: 'orders' })
    class Bare {
      listen(): undefined {
        return undefined;
      }
    }
    await expect(makeApp().start(Bare)).rejects.toMatchObject({
      code: 'ERR_SD_CONFIG',
      field: 'server of Bare',
    });
  });

  it('a backend that cannot register', async () => {
    const app = makeApp({ backend: makeReadOnlyBackend() });
    await expect(app.start(Orders)).rejects.toMatchObject({ code: 'ERR_SD_CONFIG', field: 'backend' });
    expect(app.create(Orders).orders).toBeInstanceOf(ServiceClient);
  });
});

describe('a start that fails', () => {
  class Failing extends Orders {
    constructor(seen: Server[]) {
      super();
      seen.push(this.server);
    }
  }

  it('rejects with what listen() threw, and may be tried again', async () => {
    const problems = [new Error('no permission')];
    @ServiceRegistry({ service: 'orders' })
    class Flaky extends Orders {
      override listen(): Server {
        const problem = problems.pop();
        if (problem !== undefined) throw problem;
        return super.listen();
      }
    }
    const app = makeApp();
    await expect(app.start(Flaky)).rejects.toThrow('no permission');
    await expect(app.start(Flaky)).resolves.toBeDefined();
  });

  it('rejects when the port is taken', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    await once(other, 'listening');
    @ServiceRegistry({ service: 'orders' })
    class Late {
      readonly server = echoServer();
      listen(): void {
        this.server.listen(portOf(other), '127.0.0.1');
      }
    }
    await expect(makeApp().start(Late)).rejects.toMatchObject({ code: 'EADDRINUSE' });
    other.close();
  });

  it.each(['listen()', 'the constructor'])(
    'rejects as well when %s is called from a timer',
    async (where) => {
      const other = createServer().listen(0);
      await once(other, 'listening');
      @ServiceRegistry({ service: 'orders' })
      class Late {
        readonly server = where === 'listen()' ? echoServer() : echoServer().listen(portOf(other));
        listen(): void {
          if (where === 'listen()') this.server.listen(portOf(other));
        }
      }
      const app = makeApp();
      // Here, unlike after an await, Node reports the error before promises go on.
      const started = new Promise((resolve, reject) =>
        setTimeout(() => void app.start(Late).then(resolve, reject)),
      );
      await expect(started).rejects.toMatchObject({ code: 'EADDRINUSE' });
      other.close();
    },
  );

  it('closes the server that listens already', async () => {
    const seen: Server[] = [];
    const backend = makeBackend();
    const app = makeApp({ backend });
    await backend.close();
    await expect(app.start(Failing, seen)).rejects.toBeInstanceOf(ClosedError);
    expect(seen.map(({ listening }) => listening)).toEqual([false]);
  });

  it('does not wait for connections that its server cannot cut off', async () => {
    const server = createTcpServer();
    @ServiceRegistry({ service: 'orders' })
    class Called {
      async listen(): Promise<TcpServer> {
        await once(server.listen(0, '127.0.0.1'), 'listening');
        const socket = connect(portOf(server), '127.0.0.1');
        onTestFinished(() => void socket.destroy());
        await once(server, 'connection');
        return server;
      }
    }
    const backend = makeBackend();
    const app = makeApp({ backend });
    await backend.close();
    await expect(app.start(Called)).rejects.toBeInstanceOf(ClosedError);
    expect(server.listening).toBe(false);
  });

  it('leaves what else was started as it is', async () => {
    @ServiceRegistry({ service: 'orders' })
    class Broken extends Orders {
      override listen(): Server {
        throw new Error('broken');
      }
    }
    const app = makeApp();
    const { registration } = await app.start(Orders);
    await expect(app.start(Broken)).rejects.toThrow('broken');
    expect(registration.state.value).toBe('published');
  });
});

describe('stop', () => {
  it('marks what was started, lets it finish its work, closes the server, and takes it out of the store', async () => {
    const backend = makeBackend();
    const asked = event();
    const answer = event();
    @ServiceRegistry({ service: 'orders' })
    class Busy extends Orders {
      @InjectDiscoveryClient() readonly discovery!: DiscoveryClient;
      override readonly server = echoServer((_request, response) => {
        asked.happen();
        void answer.happened
          .then(() => this.discovery.getInstances('users'))
          .then((users) => response.end(`${users.length} users`));
      });
    }
    const app = makeApp({ backend });
    const { instance } = await app.start(Busy);
    const consumer = makeApp({ backend }).create(Orders);
    const calling = consumer.orders.get('/').text();
    await asked.happened;

    const stopping = app.stop();
    await eventually(async () =>
      expect(await backend.getInstances('orders')).toMatchObject([{ status: 'draining' }]),
    );
    answer.happen();

    expect(await calling).toBe('0 users');
    await stopping;
    expect(instance.server.listening).toBe(false);
    expect(await backend.getInstances('orders')).toEqual([]);
    await expect(instance.orders.get('/')).rejects.toBeInstanceOf(ClosedError);
  });

  it('leaves the backend open', async () => {
    const backend = makeBackend();
    const app = makeApp({ backend });
    await app.start(Orders);
    await app.stop();
    await expect(makeApp({ backend }).start(Orders)).resolves.toBeDefined();
  });

  it('may be called again, also as a disposal', async () => {
    const app = makeApp();
    await app.start(Orders);
    await Promise.all([app.stop(), app.stop(), app[Symbol.asyncDispose]()]);
    await app.stop();
  });

  it('refuses whoever comes late', async () => {
    const app = makeApp();
    const stopping = app.stop();
    await expect(app.start(Orders)).rejects.toBeInstanceOf(ClosedError);
    expect(() => app.create(Orders)).toThrow(ClosedError);
    await stopping;
    expect(() => app.create(Orders)).toThrow(ClosedError);
  });

  it('gives up a start that is under way, and closes what it has opened', async () => {
    const seen: Server[] = [];
    const ready = event();
    @ServiceRegistry({ service: 'orders' })
    class Slow {
      readonly server = echoServer();
      async listen(): Promise<void> {
        seen.push(this.server.listen(0, '127.0.0.1'));
        await ready.happened;
      }
    }
    const backend = makeBackend();
    const app = makeApp({ backend });
    const starting = app.start(Slow);
    const stopping = app.stop();
    ready.happen();
    await expect(starting).rejects.toBeInstanceOf(ClosedError);
    await stopping;
    expect(seen.map(({ listening }) => listening)).toEqual([false]);
    expect(await backend.getInstances('orders')).toEqual([]);
  });

  it('does not wait for a server that nobody has told to listen', async () => {
    @ServiceRegistry({ service: 'orders' })
    class Silent {
      readonly server = echoServer();
    }
    const app = makeApp();
    const starting = app.start(Silent);
    await app.stop();
    await expect(starting).rejects.toBeInstanceOf(ClosedError);
  });
});
