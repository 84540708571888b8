import { seededRng } from '@sd/core';
import { DnsBackend } from '@sd/dns';
import { silentLogger } from '@sd/testkit';
import { decode } from 'dns-packet';
import type { Dialect } from '../dialect.ts';
import type { Store } from '../store.ts';

/** Messages with their length before them, and in each its id, which is random and patched. */
const dialect: Dialect = {
  lengthOf: (bytes) => (bytes.length < 2 ? undefined : 2 + bytes.readUInt16BE(0)),
  keyOf(request) {
    const [question] = decode(request.subarray(2)).questions ?? [];
    return `${question?.type} ${question?.name}`;
  },
  idOf: (message) => message.readUInt16BE(2),
  patched(answer, request) {
    if (answer.length < 4) return answer;
    const patched = Buffer.from(answer);
    request.copy(patched, 2, 2, 4);
    return patched;
  },
};

export const dns: Store = {
  name: 'dns',
  dialect,
  words: ['\0\0', '\xff\xff', '\xc0\x0c', '\0\x21', '\0\x01', '\x81\x80', '\x83\x80'],
  open: (port, clock) =>
    new DnsBackend({
      name: '{service}.service.consul.',
      servers: [`127.0.0.1:${port}`],
      transport: 'tcp',
      logger: silentLogger,
      rng: seededRng(1),
      clock,
    }),
};
