import { readFileSync } from 'node:fs';
import { request } from 'node:https';
import { loadAllYaml } from '@kubernetes/client-node';
import { systemClock } from '@sd/core';
import {
  EnvtestServer,
  envtestAssets,
  externalKubeconfig,
} from '../../../../tools/servers/kubernetes-envtest.ts';
import { KubernetesServer } from '../../../../tools/servers/index.ts';
import type { Access } from '../src/access.ts';
import { accessSource } from '../src/access-sources.ts';
import type { Cluster } from './kubernetes-harness.ts';

/** The test server, as a process of its own, with TLS. */
export async function testServer(): Promise<Cluster> {
  const server = await KubernetesServer.start({ tls: true });
  const { url, ca, readerToken } = server;
  return {
    access: { url, ca, token: readerToken },
    command: (method, path, body) => server.command(method, path, body),
    server,
    stop: () => server.stop(),
  };
}

export const hasRealCluster = (): boolean => (externalKubeconfig() ?? envtestAssets()) !== undefined;

/** A real API server: that of a kubeconfig, or one that is started here. */
export async function realCluster(): Promise<Cluster> {
  const file = externalKubeconfig();
  if (file !== undefined) {
    const kubeconfig = { kubeconfig: { file } };
    const access = accessSource(kubeconfig, { clock: systemClock, timeoutMs: 10_000 });
    return {
      access: kubeconfig,
      command: async (method, path, body) => send(await access(false), method, path, body),
      stop: () => Promise.resolve(),
    };
  }
  const server = await EnvtestServer.start(envtestAssets() ?? '');
  const { url, ca, adminToken, readerToken } = server;
  const admin = { server: new URL(url), headers: { Authorization: `Bearer ${adminToken}` }, tls: { ca } };
  await grant(admin);
  return {
    access: { url, ca, token: readerToken },
    command: (method, path, body) => send(admin, method, path, body),
    stop: () => server.stop(),
  };
}

/** What the README tells users to apply, bound to the user of these tests. */
async function grant(admin: Access): Promise<void> {
  const [role, binding] = loadAllYaml(example('rbac-all-namespaces.yaml')) as [object, object];
  const subjects = [{ kind: 'User', name: 'reader', apiGroup: 'rbac.authorization.k8s.io' }];
  const path = '/apis/rbac.authorization.k8s.io/v1';
  await send(admin, 'POST', `${path}/clusterroles`, role);
  await send(admin, 'POST', `${path}/clusterrolebindings`, { ...binding, subjects });
}

export const example = (name: string): string =>
  readFileSync(new URL(`../examples/${name}`, import.meta.url), 'utf8');

function send(
  { server, headers, tls }: Access,
  method: string,
  path: string,
  body: unknown,
): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const type = method === 'PATCH' ? 'application/merge-patch+json' : 'application/json';
    const options = { method, ...tls, headers: { ...headers, 'Content-Type': type } };
    const sent = request(new URL(path, server), options, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => {
        const text = Buffer.concat(chunks).toString();
        if ((response.statusCode ?? 0) >= 300) return reject(new Error(`${method} ${path}: ${text}`));
        resolve(JSON.parse(text));
      });
    });
    sent.on('error', reject);
    sent.end(body === undefined ? undefined : JSON.stringify(body));
  });
}
