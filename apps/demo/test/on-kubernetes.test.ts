import { describe, expect, it, onTestFinished } from 'vitest';
import { KubernetesServer } from '../../../tools/servers/index.ts';
import { DemoProcess, timeout } from './demo-process.ts';

describe('the demo in processes that meet in Kubernetes', () => {
  it(
    'keeps its promises while endpoints come, are not ready, terminate and go, and the API server is killed',
    { timeout },
    async () => {
      const server = await KubernetesServer.start();
      onTestFinished(() => server.stop());
      const url = `k8s://:${server.adminToken}@${server.host}:${server.port}/shop`;
      const demo = new DemoProcess('--backend', url, '--seconds', '12', '--rate', '30');
      await demo.printed('payments-1 has left all views');
      await server.restart({ keepData: true });

      const { code, stdout, stderr } = await demo.ended;
      expect(code, stdout + stderr).toBe(0);
      expect(stderr).toBe('');
      expect(stdout).toMatch(/^ {2}calls .*, 0 failed$/m);
      expect(stdout.match(/^ {2}ok /gm)).toHaveLength(7);
      const slices = '/apis/discovery.k8s.io/v1/namespaces/shop/endpointslices';
      expect(await server.command('GET', slices)).toMatchObject({ items: [] });
    },
  );
});
