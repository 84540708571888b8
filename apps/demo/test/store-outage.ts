import { describe, expect, it, onTestFinished } from 'vitest';
import { requireServer, type TestServer } from '../../../tools/servers/index.ts';
import { DemoProcess, timeout } from './demo-process.ts';

/** The demo beside a store that is killed twice; a file for each, so that they run beside each other. */
export function testStoreOutage(
  name: 'redis' | 'consul' | 'etcd' | 'zookeeper',
  scheme: string,
  start: () => Promise<TestServer & { readonly host: string; readonly port: number }>,
): void {
  describe(`the demo in processes that meet in ${name}`, () => {
    it.skipIf(!requireServer(name))(
      'keeps its promises while the store is killed and comes back empty',
      { timeout },
      async () => {
        const server = await start();
        onTestFinished(() => server.stop());
        const url = `${scheme}://${server.host}:${server.port}`;
        const demo = new DemoProcess('--backend', url, '--seconds', '12', '--rate', '30');
        await demo.printed('payments-1 is killed');
        await server.restart({ keepData: false });
        await demo.printed('roll-out: 4 orders 2.0.0 have started');
        await server.restart({ keepData: false });

        const { code, stdout, stderr } = await demo.ended;
        expect(code, stdout + stderr).toBe(0);
        expect(stderr).toBe('');
        expect(stdout).toMatch(/^ {2}calls .*, 0 failed$/m);
        expect(stdout).toMatch(/^ {2}store +lost 2 times/m);
        expect(stdout.match(/^ {2}ok /gm)).toHaveLength(7);
      },
    );
  });
}
