import { readConnectResponse } from '../../../packages/backends/zookeeper/src/protocol/handshake.ts';
import {
  JuteReader,
  JuteWriter,
  ProtocolError,
} from '../../../packages/backends/zookeeper/src/protocol/jute.ts';
import {
  create,
  exists,
  getChildren,
  getData,
  multi,
  multiRead,
  setData,
  type Request,
} from '../../../packages/backends/zookeeper/src/protocol/requests.ts';
import { ZooKeeperError } from '../../../packages/backends/zookeeper/src/protocol/zookeeper-error.ts';
import { holds } from '../oracle.ts';
import type { FuzzTarget } from '../target.ts';

const requests: readonly Request<unknown>[] = [
  create('/a', { data: '', acl: [], kind: 'ephemeral' }),
  exists('/a'),
  getData('/a'),
  getChildren('/a'),
  setData('/a', '', -1),
  multi([setData('/a', '', -1), exists('/b')], '/'),
  multiRead([getData('/a'), getData('/b')], '/'),
];
const stat = (out: JuteWriter): JuteWriter =>
  out.long(1n).long(2n).long(3n).long(4n).int(5).int(6).int(7).long(8n).int(9).int(10).long(11n);
const body = (out: JuteWriter): Buffer => out.frame().subarray(4);
const result = (out: JuteWriter, op: number): JuteWriter => out.int(op).bool(false).int(0);

/** The body of an answer, read as that of each request. */
export const zookeeperAnswers: FuzzTarget = {
  name: 'zookeeper-answers',
  format: 'bytes',
  seeds: [
    body(new JuteWriter().text('/a')),
    body(stat(new JuteWriter())),
    body(stat(new JuteWriter().text('{"service":"orders"}'))),
    body(
      new JuteWriter()
        .list(['a', 'b', 'é'], () => undefined)
        .text('a')
        .text('b')
        .text('é'),
    ),
    body(
      stat(result(new JuteWriter(), 5)).int(-1).bool(false).int(-101).int(-101).int(-1).bool(true).int(-1),
    ),
    body(
      stat(result(stat(result(new JuteWriter(), 4).text('x')), 4).text('y'))
        .int(-1)
        .bool(true)
        .int(-1),
    ),
    body(new JuteWriter().int(0).int(10_000).long(77n).bytes(Buffer.alloc(16, 1)).bool(false)),
  ],
  run(input) {
    for (const request of requests) {
      const answer = new JuteReader(input);
      const read = attempt(() => request.read(answer));
      holds(answer.left >= 0 && answer.left <= input.length, 'read beyond the end');
      holds(sizeOf(read) <= 4 * input.length + 64, 'more than was sent');
    }
    const welcome = attempt(() => readConnectResponse(new JuteReader(input)));
    holds(welcome === undefined || (welcome.password.length <= 64 && welcome.timeoutMs > 0), 'no session');
  },
};

function attempt<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch (error) {
    if (error instanceof ProtocolError || error instanceof ZooKeeperError) return undefined;
    throw error;
  }
}

function sizeOf(value: unknown): number {
  if (Buffer.isBuffer(value)) return value.length;
  if (typeof value === 'string') return value.length;
  if (Array.isArray(value)) return value.reduce((sum: number, each) => sum + 1 + sizeOf(each), 0);
  if (typeof value !== 'object' || value === null || value instanceof Error) return 1;
  return Object.values(value).reduce((sum: number, each) => sum + sizeOf(each), 0);
}
