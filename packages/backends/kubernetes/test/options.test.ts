import { describe, expect, it } from 'vitest';
import { ConfigValidationError } from '@sd/core';
import { KubernetesBackend, type KubernetesBackendOptions } from '../src/index.ts';

describe('options that are refused', () => {
  it.each([
    ['url', { url: 'ftp://x' }],
    ['url', { url: 'https://user:s3cr3t@host' }],
    ['url', { url: 'https://host?x=1' }],
    ['token', { url: 'https://host', token: 's3cr3t\r\nX: y' }],
    ['ca', { url: 'https://host', ca: '/a/path' }],
    ['namespace', { namespace: 'a/b' }],
    ['namespace', { namespace: 'A' }],
    ['labelSelector', { labelSelector: '' }],
    ['port', { port: 0 }],
    ['port', { port: 'a b' }],
    ['ports.web', { ports: { web: 70_000 } }],
    ['family', { family: 'IPv5' }],
    ['timeoutMs', { timeoutMs: 1 }],
    ['idleMs', { idleMs: 1 }],
    ['relistMs', { relistMs: 1 }],
    ['clock', { clock: {} }],
    ['tokne', { tokne: 'x' }],
    ['', { url: 'https://host', kubeconfig: {} }],
    ['', { token: 's3cr3t' }],
    ['', { url: 'https://host', token: 's3cr3t', tokenFile: '/x' }],
    ['', { url: 'http://10.0.0.1', token: 's3cr3t' }],
    ['servername', { url: 'https://host', servername: '' }],
    ['', { url: 'https://host', cert: '-----BEGIN x' }],
    ['', { servername: 'host' }],
  ])('%s of %j', (field, options) => {
    const make = () => new KubernetesBackend(options as KubernetesBackendOptions);
    expect(make).toThrow(ConfigValidationError);
    try {
      make();
    } catch (error) {
      expect(error).toMatchObject({ field });
      expect(String(error)).not.toContain('s3cr3t');
    }
  });

  it.each([
    {},
    { url: 'http://127.0.0.1:8001' },
    { url: 'http://[::1]:8001', token: 'x' },
    { url: 'https://rancher.example/k8s/clusters/c-1', token: 'x', port: 'http', ports: { web: 80 } },
    { inCluster: {}, allNamespaces: true },
    { kubeconfig: { file: '/x', context: 'y' } },
  ])('but not %j', async (options) => {
    await new KubernetesBackend(options).close();
  });
});

describe('names that no service has', () => {
  it.each(['x'.repeat(64), 'a_b/c', 'orders.'])('%s', async (name) => {
    await using backend = new KubernetesBackend({ url: 'http://127.0.0.1:1' });
    await expect(backend.getInstances(name)).rejects.toThrow(ConfigValidationError);
  });

  it('orders.Shop, where the part after the dot is a namespace', async () => {
    await using backend = new KubernetesBackend({ url: 'http://127.0.0.1:1', allNamespaces: true });
    await expect(backend.getInstances('orders.Shop')).rejects.toThrow(ConfigValidationError);
  });
});
