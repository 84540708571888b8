import { seededRng, type RegistryBackend } from '@sd/core';
import { silentLogger } from '@sd/testkit';
import { ZooKeeperBackend } from '@sd/zookeeper';
import { ops } from '../../../../packages/backends/zookeeper/src/protocol/requests.ts';
import type { Dialect } from '../dialect.ts';
import type { Store } from '../store.ts';

const names: ReadonlyMap<number, string> = new Map(
  Object.entries(ops).map(([name, op]) => [op as number, name]),
);
const eventXid = -1;

/** Frames with their length before them; each but the first has the number of its request (xid), which is patched. */
const dialect: Dialect = {
  lengthOf: (bytes) => (bytes.length < 4 ? undefined : 4 + bytes.readInt32BE(0)),
  keyOf(request, turn) {
    if (turn === 0) return 'greeting';
    const op = request.readInt32BE(8);
    // Paths, and nothing of what is in a node: that has times.
    const text = request
      .subarray(12)
      .toString('latin1')
      .replace(/\{.*\}/gs, '');
    return [names.get(op) ?? op, ...(text.match(/\/[\w/.-]*/g) ?? [])].join(' ');
  },
  isPush: (message, turn) => turn > 0 && message.readInt32BE(4) === eventXid,
  idOf: (message, turn) => (turn === 0 ? 0 : message.readInt32BE(4)),
  patched(answer, request, turn) {
    if (turn === 0 || answer.length < 8 || request.length < 8) return answer;
    const patched = Buffer.from(answer);
    request.copy(patched, 4, 4, 8);
    return patched;
  },
};

export const zookeeper: Store<RegistryBackend> = {
  name: 'zookeeper',
  dialect,
  words: [
    '\0\0\0\0',
    '\0\0\0\x10',
    '\xff\xff\xff\xff',
    '\x7f\xff\xff\xff',
    '\xff\xff\xff\x9b',
    '\0\0\0\0\0\0\0\0',
  ],
  open: (port, clock) =>
    new ZooKeeperBackend({
      connectionString: `127.0.0.1:${port}`,
      logger: silentLogger,
      rng: seededRng(1),
      ...(clock && { clock }),
    }),
};
