import { eventually } from '@sd/testkit';
import { once } from 'node:events';
import { fetch, request } from 'undici';
import { describe, expect, it } from 'vitest';
import { answering, countConnections, echo, hanging, startService } from './fixture.ts';

describe('connections', () => {
  it('to an instance that left are closed when their last request has ended', async () => {
    let finish = (): void => undefined;
    const { agent, at, add, discovery } = await startService([
      (_request, response) => {
        response.writeHead(200).write('a');
        finish = () => response.end('b');
      },
    ]);
    const sockets = new Set<unknown>();
    at(0).server.on('connection', (socket) => {
      sockets.add(socket);
      socket.once('close', () => sockets.delete(socket));
    });
    const old = await fetch('http://orders/', { dispatcher: agent });

    const next = await add(answering(200, 'new'));
    await at(0).lease.release();
    await eventually(async () =>
      expect(await discovery.getInstances('orders')).toMatchObject([{ port: next.port }]),
    );

    expect(await (await fetch('http://orders/', { dispatcher: agent })).text()).toBe('new');
    expect(next.requests).toHaveLength(1);
    finish();
    expect(await old.text()).toBe('ab');
    await eventually(() => expect(sockets.size).toBe(0));
  });

  it('to an instance are kept when its metadata change, and are others when its protocol does', async () => {
    const { agent, at, discovery } = await startService([echo]);
    const connections = countConnections(at(0));
    const publishAnew = async (changes: {
      metadata?: Record<string, string>;
      protocol?: string;
    }): Promise<void> => {
      const next = { ...at(0).lease.instance, ...changes };
      await at(0).lease.update(next);
      await eventually(async () =>
        expect(await discovery.getInstances('orders')).toMatchObject([{ ...changes }]),
      );
    };
    for (const load of ['1', '2', '3']) {
      await (await request('http://orders/', { dispatcher: agent })).body.dump();
      await publishAnew({ metadata: { load } });
    }
    expect(connections()).toBe(1);
    await publishAnew({ protocol: 'https' });
    await expect(request('http://orders/', { dispatcher: agent })).rejects.toThrow();
    expect(connections()).toBeGreaterThan(1);
  });

  it.each([
    ['an instance', {}],
    ['an instance that may have one', { connections: 1 }],
    ['an instance with HTTP pipelining', { pipelining: 2 }],
  ])('to %s: one, where each request follows the answer before it', async (_to, pool) => {
    const { agent, at } = await startService([echo], { pool });
    const connections = countConnections(at(0));
    for (let turn = 0; turn < 10; turn += 1) {
      await (await request('http://orders/', { dispatcher: agent })).body.json();
    }
    for (let turn = 0; turn < 10; turn += 1) {
      await (await fetch('http://orders/', { dispatcher: agent })).json();
    }
    expect(connections()).toBe(1);
  });

  it('are as many as there are requests at once', async () => {
    const { agent, at } = await startService([echo]);
    const connections = countConnections(at(0));
    const lane = async (): Promise<void> => {
      for (let turn = 0; turn < 50; turn += 1) {
        await (await request('http://orders/', { dispatcher: agent })).body.json();
      }
    };
    await Promise.all(Array.from({ length: 5 }, lane));
    expect(connections()).toBe(5);
  });

  it('serve what waits for them, where there are no more', async () => {
    const { agent, at } = await startService([echo], { pool: { connections: 2 } });
    const connections = countConnections(at(0));
    const answers = Array.from({ length: 20 }, async () =>
      (await request('http://orders/', { dispatcher: agent })).body.json(),
    );
    expect(await Promise.all(answers)).toHaveLength(20);
    expect(connections()).toBe(2);
  });

  it('are others where an instance closes them after an answer', async () => {
    const { agent, at } = await startService([answering(200, 'ok', { connection: 'close' })]);
    const connections = countConnections(at(0));
    for (let turn = 0; turn < 5; turn += 1) {
      expect(await (await request('http://orders/', { dispatcher: agent })).body.text()).toBe('ok');
    }
    expect(connections()).toBe(5);
  });

  it('are opened and closed as the agent tells', async () => {
    const { agent, at } = await startService([echo]);
    const connected = once(agent, 'connect');
    await (await request('http://orders/', { dispatcher: agent })).body.dump();
    const [origin] = (await connected) as [URL];
    expect(origin.origin).toBe(`http://127.0.0.1:${at(0).port}`);
    const disconnected = once(agent, 'disconnect');
    at(0).server.closeIdleConnections();
    await disconnected;
    expect((await request('http://orders/', { dispatcher: agent })).statusCode).toBe(200);
  });

  it('end with the agent, after the requests under way', async () => {
    let finish = (): void => undefined;
    const { agent } = await startService([
      (_request, response) => {
        response.writeHead(200).write('a');
        finish = () => response.end('b');
      },
    ]);
    const { body } = await request('http://orders/', { dispatcher: agent });
    const closed = agent.close();
    await expect(request('http://orders/', { dispatcher: agent })).rejects.toMatchObject({
      code: 'UND_ERR_CLOSED',
    });
    finish();
    expect(await body.text()).toBe('ab');
    await closed;
    expect(agent.destroyed).toBe(true);
  });

  it('are cut with the agent that is destroyed, and its requests fail', async () => {
    const { agent, at } = await startService([hanging]);
    const failed = request('http://orders/', { dispatcher: agent });
    await eventually(() => expect(at(0).requests).toHaveLength(1));
    const enough = new Error('enough');
    await Promise.all([agent.destroy(enough), expect(failed).rejects.toBe(enough)]);
  });
});
