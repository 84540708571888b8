import type { Cluster, Redis } from 'ioredis';
import { ReplyCheck } from './reply-check.ts';

/** A server that does not speak the protocol loses its connection before ioredis reads what it said. */
export function guardReplies(
  client: Redis | Cluster,
  { isOfMessages }: { readonly isOfMessages: boolean },
): void {
  if (client.isCluster) {
    client.on('+node', (node: Redis) => guardReplies(node, { isOfMessages }));
    return;
  }
  client.on('connect', () => {
    const { stream } = client as Redis;
    const check = new ReplyCheck({ isOfMessages });
    // Whatever ioredis has to read with is there by now, and nothing has come yet.
    const readers = stream.rawListeners('data');
    stream.removeAllListeners('data');
    stream.on('data', (chunk: Buffer) => {
      const problem = check.push(chunk);
      if (problem === undefined) for (const read of readers) Reflect.apply(read, stream, [chunk]);
      else stream.destroy(new Error(`it does not speak the protocol of Redis: ${problem}`));
    });
  });
}
