import { setLogger } from '@sd/core';
import { keepPublished, silentLogger } from '@sd/testkit';
import { RedisBackend } from '@sd/redis';
import { costOf } from './measure.ts';
import { populationInstance } from './population.ts';
import { serve } from '../../../../tools/bench/program.ts';

// Providers that keep an instance in each of the services, each with a client of its own.
setLogger(silentLogger);

const tasks = {
  async publish(plan: {
    readonly url: string;
    readonly services: number;
    readonly from: number;
    readonly to: number;
    readonly ttl: number;
  }): Promise<void> {
    const { url, services, from, to, ttl } = plan;
    for (let provider = from; provider < to; provider += 1) {
      const backend = new RedisBackend({ url });
      const own = Array.from({ length: services }, (_, k) =>
        populationInstance(provider * services + k, services),
      );
      await costOf(services, 500, (k) => keepPublished(backend, own[k]!, { ttl })); // k is inside
    }
  },
};

export type ProviderTasks = typeof tasks;
serve(tasks);
