import { seededRng, type RegistryBackend } from '@sd/core';
import { EtcdBackend } from '@sd/etcd';
import { silentLogger } from '@sd/testkit';
import type { Dialect } from '../dialect.ts';
import type { Store } from '../store.ts';

const headLength = 5;

/** Messages of gRPC: whether it is compressed, the length, and protobuf. Streams of HTTP/2 tell which answers which. */
const dialect: Dialect = {
  isHttp2: true,
  lengthOf: (bytes) => (bytes.length < headLength ? undefined : headLength + bytes.readUInt32BE(1)),
  keyOf(request, _turn, path) {
    // Keys, and nothing of what is in them: that has times.
    const text = request.toString('latin1').replace(/\{.*\}/gs, '');
    return [path.slice(path.lastIndexOf('.') + 1), ...(text.match(/\/[\w/.-]+/g) ?? [])].join(' ');
  },
  isPush: (message, turn) => turn > 0 && message.includes('/sd/'),
  endsWithAnswer: (path) => !/Watch$|KeepAlive$/.test(path),
};

export const etcd: Store<RegistryBackend> = {
  name: 'etcd',
  dialect,
  hasOneHistory: true,
  words: [
    '\0\0\0\0\0',
    '\0\xff\xff\xff\xff',
    '\x01\0\0\0\0',
    '\x08\x01',
    '\x12\0',
    '\xff\xff\xff\xff\xff\xff\xff\xff\x7f',
    '\x1a\xff\xff\x03',
  ],
  open: (port, clock) =>
    new EtcdBackend({
      endpoints: `http://127.0.0.1:${port}`,
      logger: silentLogger,
      rng: seededRng(1),
      clock,
    }),
};
