import { readFile } from 'node:fs/promises';
import { isIPv6 } from 'node:net';
import { join } from 'node:path';
import type { Access, AccessSource } from './access.ts';
import { kubeconfigSource, type Patience } from './kubeconfig.ts';
import { unavailable } from './kubernetes-errors.ts';
import type { KubernetesAccessOptions } from './kubernetes-options.ts';

/** Where the kubelet puts the files of a pod's service account. */
const usualFolder = '/var/run/secrets/kubernetes.io/serviceaccount';

export function accessSource(options: KubernetesAccessOptions, patience: Patience): AccessSource {
  if (options.url !== undefined) return givenSource(options);
  if (options.inCluster !== undefined) return inClusterSource(options.inCluster.folder);
  if (options.kubeconfig === undefined && process.env.KUBERNETES_SERVICE_HOST !== undefined)
    return inClusterSource();
  return kubeconfigSource(options.kubeconfig, patience);
}

type GivenOptions = Extract<KubernetesAccessOptions, { readonly url: string }>;

function givenSource({ url, token, tokenFile, ca, cert, key, servername }: GivenOptions): AccessSource {
  const server = new URL(url);
  return async () => ({
    server,
    headers: authorization(tokenFile === undefined ? token : await readToken(tokenFile)),
    tls: { ca, cert, key, servername },
  });
}

function inClusterSource(folder = usualFolder): AccessSource {
  const { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port = '443' } = process.env;
  return async (): Promise<Access> => {
    if (host === undefined || host === '')
      throw unavailable(
        'this is no pod: KUBERNETES_SERVICE_HOST is not set; use the option url or kubeconfig',
      );
    const [token, ca, namespace] = await Promise.all([
      readToken(join(folder, 'token')),
      read(join(folder, 'ca.crt')),
      read(join(folder, 'namespace')).catch(() => ''),
    ]);
    return {
      server: new URL(`https://${isIPv6(host) ? `[${host}]` : host}:${port}`),
      headers: authorization(token),
      tls: { ca },
      ...(namespace === '' ? {} : { namespace: namespace.trim() }),
    };
  };
}

function authorization(token: string | undefined): Record<string, string> {
  return token === undefined ? {} : { Authorization: `Bearer ${token}` };
}

async function readToken(file: string): Promise<string> {
  const token = (await read(file)).trim();
  if (!/^[\x21-\x7e]+$/.test(token)) throw unavailable(`there is no token in ${file}`);
  return token;
}

async function read(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : 'unknown';
    const hint = file.startsWith(usualFolder) ? '; is automountServiceAccountToken off?' : '';
    throw unavailable(`cannot read ${file} (${code})${hint}`, { cause });
  }
}
