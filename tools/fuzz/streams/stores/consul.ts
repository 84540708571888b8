import { seededRng, type RegistryBackend } from '@sd/core';
import { ConsulBackend } from '@sd/consul';
import { silentLogger } from '@sd/testkit';
import type { Dialect } from '../dialect.ts';
import type { Store } from '../store.ts';
import { endOfMessage } from './http-messages.ts';

/** HTTP/1.1. Only one question at a time is asked over a connection, so that nothing is to be patched. */
const dialect: Dialect = {
  lengthOf: (bytes) => endOfMessage(bytes),
  keyOf(request) {
    const [line = ''] = request.toString('latin1', 0, 500).split('\r\n', 1);
    const [method = '', target = ''] = line.split(' ');
    // What comes after that, and the last of a check's id, is another in each run.
    return `${method} ${decodeURIComponent(target.replace(/\?.*/, '')).replace(/(sd:ttl:[^:]*:[^:]*).*/, '$1')}`;
  },
  waits: (key) => key.startsWith('GET /v1/health/service/'),
};

export const consul: Store<RegistryBackend> = {
  name: 'consul',
  dialect,
  words: [
    'X-Consul-Index: 0\r\n',
    'Content-Length: 5\r\n',
    'Transfer-Encoding: chunked\r\n',
    'HTTP/1.1 500 x\r\n',
    'HTTP/1.1 100 x\r\n\r\n',
    'HTTP/1.1 101 x\r\n\r\n',
    'ffffffff\r\n',
    '0\r\n\r\n',
    '\r\n',
    '{',
    '[',
    'null',
  ],
  open: (port, clock) =>
    new ConsulBackend({
      url: `http://127.0.0.1:${port}`,
      logger: silentLogger,
      rng: seededRng(1),
      clock,
    }),
};
