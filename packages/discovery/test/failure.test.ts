import { BackendUnavailableError } from '@sd/core';
import { classifyNetworkFailure } from '../src/index.ts';
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { connect } from 'node:tls';
import { expect, it, onTestFinished } from 'vitest';

const coded = (code: string, cause?: unknown) => Object.assign(new Error(code, { cause }), { code });

it.each([
  ['ECONNREFUSED', 'connect-failure'],
  ['ENOTFOUND', 'connect-failure'],
  ['UND_ERR_CONNECT_TIMEOUT', 'connect-failure'],
  ['CERT_HAS_EXPIRED', 'connect-failure'],
  ['ERR_TLS_CERT_ALTNAME_INVALID', 'connect-failure'],
  ['ETIMEDOUT', 'timeout'],
  ['ECONNRESET', 'error'],
  ['EPIPE', 'error'],
])('reads %s as %s', (code, outcome) => {
  expect(classifyNetworkFailure(coded(code))).toEqual({ outcome, retryable: true });
});

it.each(['read', 'write'])('knows that what fails in a %s was connected', (syscall) => {
  const error = coded('EHOSTUNREACH', Object.assign(coded('EHOSTUNREACH'), { syscall }));
  expect(classifyNetworkFailure(error)).toEqual({ outcome: 'error', retryable: true });
});

it('knows what breaks off before its TLS handshake is over', async () => {
  const server = createServer((socket) => socket.destroy()).listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  const { port } = server.address() as AddressInfo;
  const socket = connect({ port, host: '127.0.0.1' });
  const error = await new Promise((resolve) => socket.once('error', resolve));
  expect(classifyNetworkFailure(error)).toEqual({ outcome: 'connect-failure', retryable: true });
});

it('finds the code in the cause of an error, as fetch reports it', () => {
  const error = new TypeError('fetch failed', { cause: coded('ECONNREFUSED') });
  expect(classifyNetworkFailure(error)?.outcome).toBe('connect-failure');
});

it('finds the code where a name with several addresses failed at each', () => {
  const error = new AggregateError([coded('ECONNREFUSED'), coded('ENETUNREACH')]);
  expect(classifyNetworkFailure(error)?.outcome).toBe('connect-failure');
});

it.each([[new TypeError('a bug')], ['text'], [undefined], [coded('ERR_INVALID_ARG_TYPE')]])(
  'says nothing of %s',
  (error) => {
    expect(classifyNetworkFailure(error)).toBeUndefined();
  },
);

it('says nothing of a failure to reach another service', () => {
  const error = new BackendUnavailableError('memory', 'down', { cause: coded('ECONNREFUSED') });
  expect(classifyNetworkFailure(new Error('no stock', { cause: error }))).toBeUndefined();
});

it('ends on an error that is its own cause', () => {
  const error = new Error('loop');
  error.cause = error;
  expect(classifyNetworkFailure(error)).toBeUndefined();
});
