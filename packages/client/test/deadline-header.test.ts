import { describe, expect, it } from 'vitest';
import { deadlineOf } from '../src/index.ts';
import { startService } from './fixture.ts';

const echo = (name: string): Parameters<typeof startService>[0] => [
  (request, response) => response.end(JSON.stringify(request.headers[name] ?? null)),
];

describe('the deadline header', () => {
  it('tells the instance how long the attempt may take', async () => {
    const { client } = await startService(echo('sd-timeout-ms'));
    const told = Number(await client.get('/', { attemptTimeoutMs: 700 }).json());
    expect(told).toBeGreaterThan(500);
    expect(told).toBeLessThanOrEqual(700);
  });

  it('has the deadline of the call where that comes first', async () => {
    const { client } = await startService(echo('sd-timeout-ms'));
    expect(Number(await client.get('/', { deadlineMs: 300 }).json())).toBeLessThanOrEqual(300);
  });

  it.each(['json', 'form', 'body'] as const)('goes with a body too: %s', async (kind) => {
    const { client } = await startService(echo('sd-timeout-ms'));
    const content = kind === 'body' ? { body: 'text' } : { [kind]: { id: 1 } };
    expect(Number(await client.put('/', content).json())).toBeGreaterThan(4_000);
  });

  it('may have another name', async () => {
    const { client } = await startService(echo('x-timeout'), { deadlineHeader: 'x-timeout' });
    expect(Number(await client.get('/').json())).toBeGreaterThan(4_000);
  });

  it('is not sent when switched off', async () => {
    const { client } = await startService(echo('sd-timeout-ms'), { deadlineHeader: false });
    expect(await client.get('/').json()).toBeNull();
  });

  it('is not sent by who waits for ever', async () => {
    const { client } = await startService(echo('sd-timeout-ms'));
    expect(await client.get('/', { deadlineMs: Infinity, attemptTimeoutMs: Infinity }).json()).toBeNull();
  });

  it('is what the caller says when they set it', async () => {
    const { client } = await startService(echo('sd-timeout-ms'));
    expect(await client.get('/', { headers: { 'sd-timeout-ms': '42' } }).json()).toBe('42');
  });
});

describe('deadlineOf', () => {
  it.each([
    ['250', 250],
    ['0', 1],
    ['-1', undefined],
    ['soon', undefined],
    ['1e3', undefined],
    ['9'.repeat(400), undefined],
    [undefined, undefined],
  ])('reads %s as %s', (value, expected) => {
    expect(deadlineOf({ 'sd-timeout-ms': value })).toBe(expected);
  });

  it('reads a header of another name, whatever its case', () => {
    expect(deadlineOf({ 'x-timeout': '5' }, 'X-Timeout')).toBe(5);
  });
});
