import { connectivityState, status } from '@grpc/grpc-js';
import { DiscoveryClient } from '@sd/discovery';
import { MemoryBackend, MemoryStore } from '@sd/memory';
import { eventually, silentLogger } from '@sd/testkit';
import { once } from 'node:events';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { registerGrpc } from '../src/index.ts';
import { connected, connectTo, inTurn, startOrders } from './fixture.ts';
import { waitForReady } from './orders-client.ts';

describe('the instances of a channel', () => {
  it('are joined by a new one while calls go on, without idling or resolving again', async () => {
    const { client, add } = await startOrders({ handlers: [{}] });
    const first = await client.get();

    const { port } = await add();

    await eventually(async () => expect(await client.get()).toBe(String(port)), { timeoutMs: 1_000 });
    expect(new Set(await inTurn(4, () => client.get()))).toEqual(new Set([first, String(port)]));
  });

  it('lose one that leaves: calls go elsewhere, and a stream under way on it finishes', async () => {
    const { client, instances, add, discovery } = await startOrders({
      handlers: [
        {
          chat: (call) => {
            call.on('data', (part: string) => call.write(part));
            call.on('end', () => call.end());
          },
        },
      ],
    });
    const [leaving] = instances;
    const chat = client.chat();
    chat.write('before');
    expect(await once(chat, 'data')).toEqual(['before']);
    const { port } = await add();
    await connected(client, 2);

    await leaving?.lease.release();
    await eventually(() => expect(discovery.peek('orders')?.instances).toHaveLength(1));

    expect(new Set(await inTurn(5, () => client.get()))).toEqual(new Set([String(port)]));
    chat.write('after');
    expect(await once(chat, 'data')).toEqual(['after']);
    chat.end();
    chat.resume();
    await once(chat, 'end');
  });

  it('keep their connections when others come and go', async () => {
    const { client, discovery, add } = await startOrders({ handlers: [{}] });
    const peers = new Set<string>();
    const ask = async (): Promise<void> => {
      peers.add(await client.peer());
    };
    await ask();

    const other = await add();
    await connected(client, 2);
    await other.lease.release();
    await eventually(() => expect(discovery.peek('orders')?.instances).toHaveLength(1));
    await inTurn(5, ask);

    expect(peers.size).toBe(1);
  });

  it('are kept when the store is down', async () => {
    const { client, backend, instances, discovery } = await startOrders({ handlers: [{}, {}] });
    await connected(client, 2);

    await backend.close();
    await eventually(() => expect(discovery.peek('orders')?.state).toBe('stale'));

    const answers = await inTurn(4, () => client.get());
    expect(new Set(answers)).toEqual(new Set(instances.map(({ port }) => String(port))));
  });

  it('are asked for anew when the channel was idle, and are those that there are by then', async () => {
    const { client, instances, add, discovery } = await startOrders({
      handlers: [{}],
      channel: { 'grpc.client_idle_timeout_ms': 1_000 }, // the least that grpc-js takes
    });
    await client.get();
    const channel = client.getChannel();
    await eventually(() => expect(channel.getConnectivityState(false)).toBe(connectivityState.IDLE), {
      timeoutMs: 5_000,
    });

    const { port } = await add();
    await instances[0]?.lease.release();
    await eventually(() => expect(discovery.peek('orders')?.instances).toHaveLength(1));

    expect(await client.get()).toBe(String(port));
  });

  it('are found at an IPv6 address', async () => {
    const { client, instances } = await startOrders({ host: '::1' });
    expect(await client.get()).toBe(String(instances[0]?.port));
  });
});

describe('a service without instances', () => {
  it('fails calls with UNAVAILABLE and says so, and serves as soon as there is one', async () => {
    const { client, add } = await startOrders({ handlers: [] });

    await expect(client.get()).rejects.toMatchObject({
      code: status.UNAVAILABLE,
      details: expect.stringMatching(/^Service "orders" has no instances in backend "memory"/) as string,
    });

    await add();
    await eventually(async () => expect(await client.get()).not.toBe(''));
  });

  it('lets calls that wait for ready wait for one', async () => {
    const { client, add } = await startOrders({ handlers: [] });
    const call = client.get('7', waitForReady());
    await expect(client.get()).rejects.toMatchObject({ code: status.UNAVAILABLE });

    const { port } = await add();

    expect(await call).toBe(String(port));
  });

  it('says how its instances are when none takes requests', async () => {
    const { client, add } = await startOrders({ handlers: [] });
    await add({}, { status: 'out-of-service' });

    await expect(client.get()).rejects.toMatchObject({
      code: status.UNAVAILABLE,
      details: 'No healthy instance of "orders" (1 known: 1 out-of-service)',
    });
    expect(client.getChannel().getConnectivityState(false)).toBe(connectivityState.TRANSIENT_FAILURE);
  });

  it('serves again when an operator lets its only instance back', async () => {
    const { client, discovery, instances } = await startOrders({ handlers: [{}] });
    await client.get();
    const id = instances[0]?.lease.instance.id ?? '';

    discovery.isolate('orders', id);
    await expect(client.get()).rejects.toMatchObject({ code: status.UNAVAILABLE });
    const waiting = client.get('7', waitForReady());

    discovery.release('orders', id);
    expect(await waiting).toBe(String(instances[0]?.port));
  });
});

describe('a store that does not answer', () => {
  it('fails calls in time, with what it said, and serves when it does', async () => {
    const backend = new MemoryBackend({ store: new MemoryStore() });
    const watch = vi.spyOn(backend, 'watch').mockImplementation(() => {
      throw new Error('the store is down');
    });
    const discovery = new DiscoveryClient({
      backend,
      logger: silentLogger,
      follow: { reconnect: { baseMs: 10, capMs: 20 } },
    });
    const registration = registerGrpc({ discovery, name: 'down', resolveTimeoutMs: 50 });
    onTestFinished(async () => {
      registration.close();
      await discovery.close();
      await backend.close();
    });
    const client = connectTo(registration);

    await expect(client.get()).rejects.toMatchObject({
      code: status.UNAVAILABLE,
      details: 'Backend "memory": no snapshot of "orders" yet; still trying',
    });

    watch.mockRestore();
    await eventually(() =>
      expect(client.get()).rejects.toMatchObject({
        details: expect.stringContaining('has no instances') as string,
      }),
    );
  });
});
