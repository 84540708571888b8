import { eventually } from '@sd/testkit';
import { describe, expect, it } from 'vitest';
import { tcpCheck } from '../src/checks/tcp-check.ts';
import { deadTarget, listenTcp, unaborted } from './local-servers.ts';

describe('tcpCheck()', () => {
  it('is healthy when a connection opens, and closes it', async () => {
    const server = await listenTcp((socket) => socket.resume());
    expect(await tcpCheck().check(server.target, { signal: unaborted() })).toEqual({
      status: 'healthy',
      detail: 'a connection opened',
    });
    await eventually(() => expect([server.accepted(), server.connections.size]).toEqual([1, 0]));
  });

  it('can look at another port of the host', async () => {
    const { target } = await listenTcp((socket) => socket.resume());
    const check = tcpCheck({ port: target.port });
    const result = await check.check({ host: '127.0.0.1', port: 1 }, { signal: unaborted() });
    expect(result.status).toBe('healthy');
    expect([check.name, tcpCheck().name]).toEqual([`tcp ${target.port}`, 'tcp']);
  });

  it('says that the target is unreachable when nothing listens', async () => {
    const result = await tcpCheck().check(await deadTarget(), { signal: unaborted() });
    expect(result).toMatchObject({ status: 'unhealthy', unreachable: true });
    expect(result.detail).toMatch(/^no connection: connect ECONNREFUSED/);
  });

  it('says that the target is unreachable when it is cut off before a connection opened', async () => {
    const stop = new AbortController();
    const looking = tcpCheck().check({ host: '127.0.0.1', port: 1 }, { signal: stop.signal });
    stop.abort(new Error('too late'));
    expect(await looking).toEqual({
      status: 'unhealthy',
      detail: 'no connection: too late',
      unreachable: true,
    });
  });
});
