import { beforeEach, expect, it, vi } from 'vitest';
import { ManualClock } from '@sd/core';
import { kubeconfigSource } from '../src/kubeconfig.ts';

/** Ends of the plugins that were started, each to be called by the test. */
const plugins = vi.hoisted(() => [] as { readonly end: () => void; readonly fail: (error: Error) => void }[]);

vi.mock('@kubernetes/client-node', () => ({
  KubeConfig: class {
    loadFromFile = () => undefined;
    getCurrentContext = () => 'main';
    getCurrentCluster = () => ({ server: 'https://host' });
    getContextObject = () => null;
    applyToHTTPSOptions = () => new Promise<void>((end, fail) => plugins.push({ end, fail }));
  },
}));

beforeEach(() => void (plugins.length = 0));

async function openHanging() {
  const clock = new ManualClock();
  const source = kubeconfigSource({ file: '/config' }, { clock, timeoutMs: 1_000 });
  const attempt = async (afresh: boolean): Promise<void> => {
    const refusal = expect(source(afresh)).rejects.toThrow('were not there within 1000 ms');
    await clock.advance(1_000);
    await refusal;
  };
  await attempt(false);
  await vi.waitFor(() => expect(plugins).toHaveLength(1));
  return { source, attempt };
}

it('a plugin that hangs is waited for again, and no second one is started', async () => {
  const { attempt } = await openHanging();
  await attempt(false);
  await attempt(true);
  expect(plugins).toHaveLength(1);
});

it('a plugin that was late is of use to who waits for it then', async () => {
  const { source } = await openHanging();
  const access = source(false);
  plugins[0]?.end();
  expect((await access).server.host).toBe('host');
  expect(plugins).toHaveLength(1);
});

it('a plugin that failed, however late, is started again', async () => {
  const { source } = await openHanging();
  const first = source(false);
  plugins[0]?.fail(new Error('no'));
  await expect(first).rejects.toThrow('the kubeconfig cannot be used');
  const second = source(false);
  await vi.waitFor(() => expect(plugins).toHaveLength(2));
  plugins[1]?.end();
  expect((await second).server.host).toBe('host');
});
