import { systemClock } from '@sd/core';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { createSecureServer as createHttp2Server } from 'node:http2';
import { createServer as createSecureServer } from 'node:https';
import { expect, it, onTestFinished } from 'vitest';
import { checkProvidedService, leftOpen } from '../src/index.ts';
import { setUp } from './fixture.ts';

it('a server that its framework closes is drained, and left open', async () => {
  const { registry } = setUp({ clock: systemClock });
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  const registration = await registry.register({ service: 'orders', ...leftOpen(server) });
  expect(server.address()).toMatchObject({ port: registration.instance.port });

  await registration.drain({ propagationMs: 0 });

  expect(registration.state.value).toBe('deregistered');
  expect(server.listening).toBe(true);
});

it('such a server of node:https is published as https', () => {
  expect(leftOpen(createSecureServer()).protocol).toBe('https');
  expect(leftOpen(createHttp2Server()).protocol).toBe('https');
  expect(leftOpen(createServer()).protocol).toBeUndefined();
});

it('what is to be registered later is checked where it is said', () => {
  expect(checkProvidedService('Plugin', { service: 'orders' })).toEqual({ service: 'orders' });
  expect(() => checkProvidedService('Plugin', { service: '' })).toThrow('Plugin: "service" is ""');
});
