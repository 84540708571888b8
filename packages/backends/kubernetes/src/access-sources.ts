import { isIPv6 } from 'node:net';
import { join } from 'node:path';
import type { Access, AccessSource } from './access.ts';
import { authorization, read, readToken, usualFolder } from './credential-files.ts';
import { kubeconfigSource, type Patience } from './kubeconfig.ts';
import { unavailable } from './kubernetes-errors.ts';
import type { KubernetesAccessOptions } from './kubernetes-options.ts';

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
