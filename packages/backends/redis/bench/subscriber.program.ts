import { Redis } from 'ioredis';
import { RedisBackend } from '@sd/redis';
import { channels, propagated, type Way } from './propagation-ways.ts';
import { serve } from '../../../../tools/bench/program.ts';

// Notes when it hears of each change. The monotonic clock is one for all processes of a machine.
const latencies: Record<Way, number[]> = { update: [], publish: [], script: [] };

const heard = (way: Way, sentAt: string): void => {
  const now = process.hrtime.bigint();
  latencies[way].push(Number(now - BigInt(sentAt)) / 1_000);
};

const tasks = {
  async listen({ url }: { readonly url: string }): Promise<void> {
    const raw = new Redis(url, { protocol: 2 });
    await raw.subscribe(channels.publish, channels.script);
    raw.on('message', (channel: string, message: string) =>
      heard(channel === channels.publish ? 'publish' : 'script', message.slice(0, message.indexOf(' '))),
    );
    const backend = new RedisBackend({ url });
    const { signal } = new AbortController();
    await new Promise<void>((ready, failed) => {
      const watch = async (): Promise<void> => {
        for await (const [instance] of backend.watch(propagated, { signal })) {
          const sentAt = instance?.metadata['sentAt'];
          if (sentAt !== undefined) heard('update', sentAt);
          ready();
        }
      };
      watch().catch(failed);
    });
  },

  /** Microseconds, of each change since the last time. */
  async latencies(): Promise<Readonly<Record<Way, readonly number[]>>> {
    const { update, publish, script } = latencies;
    Object.assign(latencies, { update: [], publish: [], script: [] });
    return { update, publish, script };
  },
};

export type SubscriberTasks = typeof tasks;
serve(tasks);
