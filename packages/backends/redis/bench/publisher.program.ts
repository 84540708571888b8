import { setTimeout as sleep } from 'node:timers/promises';
import { createInstance, type Lease } from '@sd/core';
import { Redis } from 'ioredis';
import { RedisBackend } from '@sd/redis';
import { serviceKeys } from '../src/service-keys.ts';
import { longTtl } from './contestants.ts';
import { populationInstance } from './population.ts';
import { channels, propagated } from './propagation-ways.ts';
import { serve } from '../../../../tools/bench/program.ts';

/** Between two changes, in milliseconds: each has arrived before the next begins. */
const pauseMs = 3;

let lease: Lease;
let raw: Redis;
/** What makes the messages of the others as long as ours. */
let filler = '';
let script = '';

const tasks = {
  async register({ url }: { readonly url: string }): Promise<void> {
    raw = new Redis(url, { protocol: 2 });
    script = String(
      await raw.script(
        'LOAD',
        `redis.call('HSET', KEYS[1], 'id', ARGV[1]) redis.call('PUBLISH', KEYS[2], ARGV[1])`,
      ),
    );
    const { service: _, id: __, ...init } = populationInstance(0, 1);
    const orders = createInstance({ ...init, service: propagated }, 0);
    lease = await new RedisBackend({ url }).register(orders, { ttl: longTtl });
    filler = 'x'.repeat((await lengthOfMessage(url)) - `${now()} `.length);
  },

  /** So many changes each way, the ways in turn. */
  async change({ times }: { readonly times: number }): Promise<void> {
    const { instance } = lease;
    const { filler: padding = '' } = instance.metadata;
    for (let time = 0; time < times; time += 1) {
      await lease.update({ ...instance, metadata: { filler: padding, sentAt: now() } });
      await sleep(pauseMs);
      await raw.publish(channels.publish, `${now()} ${filler}`);
      await sleep(pauseMs);
      await raw.evalsha(script, 2, 'bench:hash', channels.script, `${now()} ${filler}`);
      await sleep(pauseMs);
    }
  },
};

export type PublisherTasks = typeof tasks;
serve(tasks);

const now = (): string => String(process.hrtime.bigint());

async function lengthOfMessage(url: string): Promise<number> {
  const spy = new Redis(url);
  await spy.subscribe(serviceKeys('sd:', propagated, 0).channel);
  const message = new Promise<string>((resolve) => spy.once('message', (_, text: string) => resolve(text)));
  await tasks.change({ times: 1 });
  spy.disconnect();
  return (await message).length;
}
