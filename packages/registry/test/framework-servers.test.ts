import { systemClock } from '@sd/core';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { createSecureServer as createHttp2Server } from 'node:http2';
import { createServer as createSecureServer } from 'node:https';
import { connect, type Server as NetServer } from 'node:net';
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

it('such a server can be closed then, though others are connected who have never asked anything', async () => {
  const { registry } = setUp({ clock: systemClock });
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const registration = await registry.register({ service: 'orders', ...leftOpen(server) });
  const socket = connect(registration.instance.port, '127.0.0.1');
  onTestFinished(() => void socket.destroy());
  await once(server, 'connection');

  await registration.drain({ propagationMs: 0 });
  server.close();

  await once(server, 'close');
});

it('such a server of node:https is published as https, unless something else is said', async () => {
  const { registry } = setUp();
  const protocolOf = async (server: NetServer, said?: { readonly protocol: string | undefined }) => {
    await once(server.listen(0, '127.0.0.1'), 'listening');
    onTestFinished(() => void server.close());
    const { instance } = await registry.register({ service: 'orders', ...leftOpen(server), ...said });
    return instance.protocol;
  };
  expect(await protocolOf(createSecureServer())).toBe('https');
  expect(await protocolOf(createHttp2Server())).toBe('https');
  expect(await protocolOf(createServer())).toBe('http');
  expect(await protocolOf(createSecureServer(), { protocol: undefined })).toBe('https');
  expect(await protocolOf(createSecureServer(), { protocol: 'grpc' })).toBe('grpc');
});

it('what is to be registered later is checked where it is said', () => {
  expect(checkProvidedService('Plugin', { service: 'orders' })).toEqual({ service: 'orders' });
  expect(() => checkProvidedService('Plugin', { service: '' })).toThrow('Plugin: "service" is ""');
});
