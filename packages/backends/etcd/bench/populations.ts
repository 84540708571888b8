import { follow } from '@sd/core';
import { setTimeout as sleep } from 'node:timers/promises';
import { FaultProxy, silentLogger } from '@sd/testkit';
import { EtcdServer } from '../../../../tools/servers/index.ts';
import { EtcdBackend } from '@sd/etcd';
import { instanceOf, range, timeOf } from './measure.ts';
import { figure, printTable } from '../../../../tools/bench/table.ts';

const restMs = 10_000;
const ttl = 15_000;

/** A thousand of each in one process: what it takes to get there, and to stay. */
export async function measurePopulations(): Promise<void> {
  const rows: string[][] = [];
  const measure = async (name: string, fill: (backend: EtcdBackend) => Promise<unknown>): Promise<void> => {
    await using server = await EtcdServer.start();
    const { host, port } = server;
    const proxy = await FaultProxy.listen({ host, port });
    {
      const endpoints = `http://${proxy.host}:${proxy.port}`;
      await using backend = new EtcdBackend({ endpoints });
      const fillMs = await timeOf(() => fill(backend));
      await sleep(1_000);
      const before = await requests(server);
      await sleep(restMs);
      const perSecond = ((await requests(server)) - before) / (restMs / 1_000);
      rows.push([name, figure(fillMs), String(proxy.accepted), figure(perSecond)]);
    }
    await proxy.close();
  };
  const thousand = range(1_000);
  await measure('1,000 instances of a service', (backend) =>
    Promise.all(thousand.map((n) => backend.register(instanceOf(n), { ttl }))),
  );
  await measure('an instance of each of 1,000 services', (backend) =>
    Promise.all(thousand.map((n) => backend.register(instanceOf(1, `orders-${n}`), { ttl }))),
  );
  await measure('1,000 watched services', (backend) =>
    Promise.all(thousand.map((n) => follow(backend, `orders-${n}`, { logger: silentLogger }).ready())),
  );

  printTable(
    `A thousand in one process (ttl ${ttl / 1_000} s)`,
    ['', 'ms until all are there', 'connections', 'requests/s from then on'],
    rows,
  );
}

const requests = (server: EtcdServer): Promise<number> => server.metric('grpc_server_msg_received_total');
