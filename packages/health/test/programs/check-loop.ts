/**
 * What watching many targets costs. First simulated time, which counts looks; then real time and a check that costs
 * nothing, and real time and HTTP at a local server, which measure the processor.
 *
 *     node --conditions=@sd/source --import tsx packages/health/test/programs/check-loop.ts
 */
import { ManualClock, seededRng } from '@sd/core';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { AdvancedHealthChecker } from '../../src/advanced-health-checker.ts';
import { httpCheck } from '../../src/checks/http-check.ts';
import type { HealthCheck } from '../../src/health-check.ts';

const intervalMs = 10_000;

const hostOf = (index: number): string => `127.${index >> 16}.${(index >> 8) & 255}.${(index & 255) + 1}`;

async function simulate(targets: number, intervals: number): Promise<void> {
  const clock = new ManualClock();
  const looks = new Map<string, number>();
  const check: HealthCheck = {
    name: 'count',
    check: async ({ host }) => {
      looks.set(host, (looks.get(host) ?? 0) + 1);
      return { status: 'healthy', detail: '' };
    },
  };
  const checker = new AdvancedHealthChecker({ check, clock, rng: seededRng(1) });
  for (let index = 0; index < targets; index += 1)
    checker.watch({ host: hostOf(index), port: 80 }, () => undefined);
  const timersAtStart = clock.pendingTimers;
  await clock.advance(intervals * intervalMs);
  const counts = [...looks.values()];
  console.log(
    `${targets} targets, ${intervals} simulated intervals: from ${Math.min(...counts)} to ${Math.max(...counts)} looks each`,
    `(${counts.length} targets, ${timersAtStart} timer)`,
  );
  checker.close();
}

async function measure(what: string, check: HealthCheck, targets: number, port: number): Promise<void> {
  const checker = new AdvancedHealthChecker({ check });
  for (let index = 0; index < targets; index += 1)
    checker.watch({ host: hostOf(index), port }, () => undefined);
  await new Promise((resolve) => setTimeout(resolve, intervalMs)); // each has been looked at once
  const before = process.cpuUsage();
  await new Promise((resolve) => setTimeout(resolve, intervalMs));
  const { user, system } = process.cpuUsage(before);
  const spentMs = (user + system) / 1_000;
  console.log(
    `${targets} targets, ${what}: ${spentMs.toFixed(0)} ms of processor time a round of ${intervalMs / 1_000} s,`,
    `${((spentMs * 1_000) / targets).toFixed(0)} µs a look`,
  );
  checker.close();
}

await simulate(10_000, 100);
await measure(
  'a check that costs nothing',
  { name: 'nothing', check: async () => ({ status: 'healthy', detail: '' }) },
  10_000,
  80,
);
const server = createServer((_request, response) => response.end('ok')).listen(0);
await once(server, 'listening');
const { port } = server.address() as AddressInfo;
await measure('HTTP, the server in this process included', httpCheck(), 1_000, port);
server.close();
