import { execFileSync } from 'node:child_process';
import { describe, expect, it, onTestFinished } from 'vitest';
import { eventually } from '@sd/testkit';
import { RedisServer, requireServer } from '../../../tools/servers/index.ts';
import { DemoProcess, timeout } from './demo-process.ts';

describe.skipIf(!requireServer('redis'))('the demo in processes', () => {
  it('leaves none behind, even when it is killed itself', { timeout }, async () => {
    const server = await RedisServer.start();
    onTestFinished(() => server.stop());
    const demo = new DemoProcess('--backend', server.url);
    await demo.printed('customers begin to buy');
    const processes = childrenOf(demo.pid);
    expect(processes).toHaveLength(14);
    demo.kill('SIGKILL');
    await demo.ended;
    await eventually(() => expect(processes.filter(isAlive)).toEqual([]));
  });
});

function childrenOf(parent: number): readonly number[] {
  const table = execFileSync('ps', ['-A', '-o', 'ppid=,pid='], { encoding: 'utf8' });
  const rows = table.split('\n').map((row) => row.trim().split(/\s+/).map(Number));
  return rows.flatMap(([ppid, pid]) => (ppid === parent && pid !== undefined ? [pid] : []));
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
