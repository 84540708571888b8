import { once } from 'node:events';
import type { RequestListener } from 'node:http';
import { Readable } from 'node:stream';
import { expect, it } from 'vitest';
import { startService } from './fixture.ts';

/** Two instances that have answered 60 calls; the next request hangs until it is closed. */
async function startHanging() {
  let hangs = false;
  const closed: Promise<unknown>[] = [];
  const handler: RequestListener = (request, response) => {
    request.resume();
    if (!hangs) {
      setTimeout(() => response.end('{}'), 2);
      return;
    }
    hangs = false;
    closed.push(once(response, 'close'));
  };
  const service = await startService([handler, handler]);
  await Promise.all(Array.from({ length: 60 }, () => service.client.get('/')));
  hangs = true;
  return { ...service, closed };
}

it('answers a late call from another instance, and closes the request that lost', async () => {
  const { client, closed } = await startHanging();
  const { attempts } = await client.get('/', { attemptTimeoutMs: 5_000 });
  expect(attempts).toBe(2);
  expect(closed).toHaveLength(1);
  await closed[0];
});

it.each([
  ['a call that may have an effect', 'POST', () => 'once'],
  ['an upload', 'PUT', () => Readable.from(['once'])],
])('does not send %s twice', async (_what, method, body) => {
  const { client, closed } = await startHanging();
  const call = client.request(method, '/', { attemptTimeoutMs: 300, body: body() });
  await expect(call).rejects.toMatchObject({ code: 'ERR_SD_ATTEMPT_TIMEOUT', attempts: [{ kind: 'first' }] });
  await closed[0];
});

it('does not begin a streamed answer twice', async () => {
  const { client, closed } = await startHanging();
  const startedAt = performance.now();
  const { attempts, body } = await client.stream('GET', '/', { attemptTimeoutMs: 300 });
  body.resume();
  expect(performance.now() - startedAt).toBeGreaterThan(290); // a retry, after the attempt's whole time
  expect(attempts).toBe(2);
  await closed[0];
});
