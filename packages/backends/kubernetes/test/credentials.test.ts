import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { inspect, promisify } from 'node:util';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { AccessDeniedError, BackendUnavailableError, ManualClock } from '@sd/core';
import { eventually } from '@sd/testkit';
import { makeCertificates, type Certificates } from '../../../../tools/servers/certificates.ts';
import type { KubernetesApi } from '../../../../tools/servers/index.ts';
import { CachedAccess } from '../src/access.ts';
import { hosts, openApi, openBackend, openView, openWatch, reader, slice } from './open-backend.ts';
import { openSocksProxy } from './socks-proxy.ts';

function folder(): string {
  const made = mkdtempSync(join(tmpdir(), 'sd-kubernetes-'));
  onTestFinished(() => rmSync(made, { recursive: true }));
  return made;
}

interface Secured {
  readonly api: KubernetesApi;
  readonly certificates: Certificates;
  readonly files: { readonly cert: string; readonly key: string };
}

async function openSecured({ expired = false } = {}): Promise<Secured> {
  const certificates = makeCertificates(folder(), { expired });
  const [cert, key] = [certificates.files.certificate, certificates.files.key].map((file) =>
    readFileSync(file, 'utf8'),
  ) as [string, string];
  const api = await openApi({ tls: { cert, key, ca: certificates.ca } });
  api.apply('demo', slice(1));
  return { api, certificates, files: { cert, key } };
}

const two = ['10.1.1.1', '10.1.1.2'];

/** Everything that a log could show of it. */
const everythingIn = (error: unknown): string => inspect(error, { depth: 10, showHidden: true });

const jwt = (claims: object): string =>
  `e30.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.c2lnbmF0dXJl`;

describe('a token', () => {
  it('that is wrong is denied at once, and never shown', async () => {
    const api = await openApi();
    const backend = openBackend({ url: api.url, token: 's3cr3t' });
    const denial = await backend.getInstances('web').catch((error: unknown) => error);
    expect(denial).toBeInstanceOf(AccessDeniedError);
    expect(everythingIn(denial)).not.toContain('s3cr3t');
    expect(api.requests).toHaveLength(1);
  });

  it.each([
    [
      'has expired',
      { exp: 1_000_000 },
      /the token expired at 1970-01-12T13:46:40\.000Z, and it is 20.* by the clock of this host/,
    ],
    [
      'is not valid yet, by a clock that is wrong',
      { nbf: 9_000_000_000 },
      /the token is valid from 2255-.*, and it is 20/,
    ],
    ['has impossible times', { exp: -1e300 }, /expired at an impossible time/],
    ['says nothing', {}, /does not accept the credentials/],
  ])('that %s is told so', async (_, claims, message) => {
    const api = await openApi();
    const backend = openBackend({ url: api.url, token: jwt(claims) });
    await expect(backend.getInstances('web')).rejects.toThrow(message);
  });

  it('in a file is read again when it is refused, and lookups do not fail', async () => {
    const api = await openApi();
    api.apply('demo', slice(1));
    const tokenFile = join(folder(), 'token');
    writeFileSync(tokenFile, 'readertoken\n');
    const backend = openBackend({ url: api.url, tokenFile });
    const view = await openView(backend);

    api.tokens.delete('readertoken');
    api.tokens.set('rotated', 'reader');
    writeFileSync(tokenFile, 'rotated');
    api.cutWatches();
    api.apply('demo', slice(2));

    await view.shows(({ length }) => length === 4, 5_000);
    expect(await backend.getInstances('web')).toHaveLength(4);
    expect(view.views.some(({ state }) => state === 'stale')).toBe(false);
    expect(api.requests.at(-1)?.authorization).toBe('Bearer rotated');
  });

  it('in a file is read again when it is a minute old', async () => {
    const clock = new ManualClock();
    let reads = 0;
    const access = new CachedAccess(async () => {
      reads += 1;
      return { server: new URL('https://host'), headers: {}, tls: {} };
    }, clock);
    await Promise.all([access.get(), access.get()]);
    await clock.advance(59_000);
    await access.get();
    expect(reads).toBe(1);
    await clock.advance(1_000);
    const old = await access.get();
    expect(reads).toBe(2);
    // Several who were refused with the same are one reading.
    await Promise.all([access.renew(old), access.renew(old), access.renew(old)]);
    expect(reads).toBe(3);
  });

  it.each([
    ['that is not there', undefined, /cannot read .*token \(ENOENT\)/],
    ['that is empty', '', /there is no token in/],
    ['that holds something else', 'two\nlines', /there is no token in/],
  ])('in a file %s is an error that says so', async (_, text, message) => {
    const tokenFile = join(folder(), 'token');
    if (text !== undefined) writeFileSync(tokenFile, text);
    const backend = openBackend({ url: 'http://127.0.0.1:1', tokenFile, rng: () => 0 });
    await expect(backend.getInstances('web')).rejects.toThrow(message);
    writeFileSync(tokenFile, 'x');
    await expect(backend.getInstances('web')).rejects.toThrow(/ECONNREFUSED/);
  });
});

describe('rights', () => {
  it('that are missing in all namespaces are those of a ClusterRole', async () => {
    const api = await openApi();
    const backend = openBackend({ url: api.url, token: 'nobodytoken', allNamespaces: true });
    await expect(backend.listServices()).rejects.toThrow(
      /user "nobody" lacks the right to list endpointslices of API group discovery\.k8s\.io in all namespaces; bind it to a ClusterRole/,
    );
  });

  it('that are taken away are told, and not asked for in a loop; views are back when they are', async () => {
    const api = await openApi();
    api.apply('demo', slice(1));
    const view = await openView(openBackend({ url: api.url, ...reader }));
    api.rights.set('reader', []);
    api.cutWatches();
    await eventually(() => expect(view.view.error).toBeInstanceOf(AccessDeniedError), { timeoutMs: 5_000 });
    const before = api.requests.length;
    await new Promise((resolve) => setTimeout(resolve, 2_000));
    expect(api.requests.length - before).toBeLessThanOrEqual(40);
    api.rights.set('reader', ['list', 'watch']);
    await view.shows(({ length }) => length === 2, 5_000);
  });

  it('to list alone let lookups pass, and fail watches', async () => {
    const api = await openApi();
    api.rights.set('reader', ['list']);
    const backend = openBackend({ url: api.url, ...reader });
    const watch = await openWatch(backend);
    await eventually(() => expect(String(watch.end?.error)).toContain('lacks the right to watch'));
    expect(await backend.getInstances('web')).toEqual([]);
  });

  it('that are missing in one namespace are no matter in another', async () => {
    const api = await openApi();
    api.apply('demo', slice(1));
    api.rights.set('reader', []);
    const backend = openBackend({ url: api.url, ...reader, allNamespaces: true, clock: new ManualClock() });
    await expect(backend.getInstances('web.shop')).rejects.toThrow(AccessDeniedError);
    api.rights.set('reader', ['*']);
    expect(await backend.getInstances('web.demo')).toHaveLength(2);
    await expect(backend.getInstances('web.shop')).rejects.toThrow(AccessDeniedError);
  });

  it('a server without EndpointSlices is told as too old', async () => {
    const api = await openApi();
    const backend = openBackend({ url: `${api.url}/other`, ...reader });
    await expect(backend.getInstances('web')).rejects.toThrow(
      /does not know endpointslices of discovery\.k8s\.io\/v1; Kubernetes 1\.21 or newer does/,
    );
  });
});

describe('TLS', () => {
  it('with the authority of the server', async () => {
    const { api, certificates } = await openSecured();
    const backend = openBackend({ url: api.url, ...reader, ca: certificates.ca });
    expect(hosts(await backend.getInstances('web'))).toEqual(two);
    expect(hosts((await openWatch(backend)).latest ?? [])).toEqual(two);
  });

  it('with a client certificate', async () => {
    const { api, certificates, files } = await openSecured();
    const backend = openBackend({ url: api.url, ca: certificates.ca, ...files });
    expect(hosts(await backend.getInstances('web'))).toEqual(two);
    expect(api.requests[0]?.authorization).toBeUndefined();
  });

  it('with the key of another certificate, as while both are replaced, is an error of the backend', async () => {
    const { api, certificates, files } = await openSecured();
    const other = readFileSync(makeCertificates(folder()).files.key, 'utf8');
    const backend = openBackend({ url: api.url, ca: certificates.ca, cert: files.cert, key: other });
    await expect(backend.getInstances('web')).rejects.toThrow(BackendUnavailableError);
    const watch = backend.watch('web', { signal: new AbortController().signal });
    await expect(watch.next()).rejects.toThrow(BackendUnavailableError);
  });

  it('of another authority, or none that is known, is refused', async () => {
    const { api } = await openSecured();
    const { ca } = makeCertificates(folder());
    for (const options of [{ ca }, {}]) {
      const failure = openBackend({ url: api.url, ...reader, ...options }).getInstances('web');
      await expect(failure).rejects.toThrow(BackendUnavailableError);
      await expect(failure).rejects.toThrow(
        /is not signed by an authority that we trust; give that authority as ca/,
      );
    }
    expect(api.requests).toEqual([]);
  });

  it('that has expired, or whose clock is wrong, is refused', async () => {
    const { api, certificates } = await openSecured({ expired: true });
    const backend = openBackend({ url: api.url, ...reader, ca: certificates.ca });
    await expect(backend.getInstances('web')).rejects.toThrow(
      /is the clock of this host right\? \(CERT_HAS_EXPIRED\)/,
    );
  });

  it('where there is none, and none where there is', async () => {
    const { api: secured } = await openSecured();
    const plain = await openApi();
    const overPlain = openBackend({ url: plain.url.replace('http:', 'https:'), ...reader });
    await expect(overPlain.getInstances('web')).rejects.toThrow(/does not speak TLS; is it http\?/);
    const overTls = openBackend({ url: secured.url.replace('https:', 'http:'), ...reader });
    await expect(overTls.getInstances('web')).rejects.toThrow(BackendUnavailableError);
  });
});

describe('in a pod', () => {
  it('the service account is used, and its namespace', async () => {
    const { api, certificates } = await openSecured();
    const account = folder();
    writeFileSync(join(account, 'token'), 'readertoken');
    writeFileSync(join(account, 'ca.crt'), certificates.ca);
    writeFileSync(join(account, 'namespace'), 'shop\n');
    vi.stubEnv('KUBERNETES_SERVICE_HOST', '127.0.0.1');
    vi.stubEnv('KUBERNETES_SERVICE_PORT', String(api.port));
    onTestFinished(() => void vi.unstubAllEnvs());
    api.apply('shop', slice(2));
    const backend = openBackend({ inCluster: { folder: account }, namespace: undefined });

    expect(hosts(await backend.getInstances('web'))).toEqual(['10.1.2.1', '10.1.2.2']);
    expect(hosts((await openWatch(backend)).latest ?? [])).toEqual(['10.1.2.1', '10.1.2.2']);
    await expect(openBackend({}).getInstances('web')).rejects.toThrow(
      /cannot read .*serviceaccount.* \(ENOENT\); is automountServiceAccountToken off\?/,
    );
  });

  it('is told from elsewhere', async () => {
    const backend = openBackend({ inCluster: {} });
    await expect(backend.getInstances('web')).rejects.toThrow(/this is no pod/);
  });
});

describe('a kubeconfig', { timeout: 30_000 }, () => {
  interface User {
    readonly token?: string;
    readonly tokenFile?: string;
    readonly exec?: unknown;
    readonly 'client-certificate'?: string;
    readonly 'client-key'?: string;
  }

  function kubeconfig(
    { api, certificates }: Secured,
    user: User,
    { current = 'main', proxy = '' } = {},
  ): string {
    const file = join(folder(), 'config');
    writeFileSync(
      file,
      JSON.stringify({
        'current-context': current,
        clusters: [
          {
            name: 'test',
            cluster: {
              server: api.url,
              'certificate-authority-data': Buffer.from(certificates.ca).toString('base64'),
              ...(proxy === '' ? {} : { 'proxy-url': proxy }),
            },
          },
        ],
        users: [{ name: 'me', user }],
        contexts: [
          { name: 'main', context: { cluster: 'test', user: 'me', namespace: 'demo' } },
          { name: 'other', context: { cluster: 'test', user: 'me', namespace: 'shop' } },
        ],
      }),
    );
    return file;
  }

  const plugin = (tokenFile: string, mode = ''): User => ({
    exec: {
      apiVersion: 'client.authentication.k8s.io/v1',
      command: process.execPath,
      args: [
        '--import=tsx',
        fileURLToPath(new URL('exec-plugin.program.ts', import.meta.url)),
        tokenFile,
        mode,
      ],
    },
  });

  it('with a proxy that never connects keeps nobody waiting, and no connection', async () => {
    const open = new Set<Socket>();
    const proxy = createServer((socket) => {
      open.add(socket);
      socket.on('close', () => open.delete(socket)).resume();
    }).listen(0, '127.0.0.1');
    onTestFinished(() => void proxy.close());
    await once(proxy, 'listening');
    const { port } = proxy.address() as AddressInfo;
    const file = join(folder(), 'config');
    const cluster = { server: 'https://10.0.0.1:6443', 'proxy-url': `http://127.0.0.1:${port}` };
    const config = {
      'current-context': 'main',
      clusters: [{ name: 'test', cluster }],
      users: [{ name: 'me', user: { token: 'readertoken' } }],
      contexts: [{ name: 'main', context: { cluster: 'test', user: 'me' } }],
    };
    writeFileSync(file, JSON.stringify(config));
    const backend = openBackend({ kubeconfig: { file }, timeoutMs: 500 });
    const found = backend.getInstances('web').catch((error: unknown) => String(error));
    expect(await Promise.race([found, sleep(10_000, 'it waits')])).toMatch(/did not answer within 500 ms/);
    await eventually(() => expect(open.size).toBe(0), { timeoutMs: 5_000 });
  });

  it('with a SOCKS proxy leaves a watch alone that is silent for longer than timeoutMs', async () => {
    await import('@kubernetes/client-node'); // which may take longer itself
    const secured = await openSecured();
    const proxy = await openSocksProxy(secured.api.port);
    const file = kubeconfig(secured, { token: 'readertoken' }, { proxy });
    const watch = await openWatch(openBackend({ kubeconfig: { file }, timeoutMs: 1_500 }));
    await sleep(3_500);
    expect(watch.end).toBeUndefined();
    expect(secured.api.requests.map(({ verb }) => verb)).toEqual(['list', 'watch']);
  });

  it('that there is not, as far as the client can tell, is said to be missing', async () => {
    const file = join(folder(), 'config');
    const cluster = { server: 'http://localhost:8080' }; // what the client takes for one
    const contexts = [{ name: 'main', context: { cluster: 'test', user: 'me' } }];
    const clusters = [{ name: 'test', cluster }];
    writeFileSync(
      file,
      JSON.stringify({ 'current-context': 'main', clusters, contexts, users: [{ name: 'me' }] }),
    );
    await expect(openBackend({ kubeconfig: { file } }).getInstances('web')).rejects.toThrow(
      'there is no kubeconfig, or its server http://localhost:8080 speaks no TLS',
    );
  });

  it('with a token for a server of another host that speaks no TLS sends none', async () => {
    const file = join(folder(), 'config');
    const cluster = { server: 'http://192.0.2.1:8080', 'insecure-skip-tls-verify': true };
    const config = {
      'current-context': 'main',
      clusters: [{ name: 'test', cluster }],
      users: [{ name: 'me', user: { token: 's3cr3t' } }],
      contexts: [{ name: 'main', context: { cluster: 'test', user: 'me' } }],
    };
    writeFileSync(file, JSON.stringify(config));
    await expect(openBackend({ kubeconfig: { file } }).getInstances('web')).rejects.toThrow(
      'what the kubeconfig has for http://192.0.2.1:8080 is not sent in the clear; it takes https',
    );
  });

  it('with a token, and the namespace of its context', async () => {
    const secured = await openSecured();
    secured.api.apply('shop', slice(2));
    const file = kubeconfig(secured, { token: 'readertoken' });
    const main = openBackend({ kubeconfig: { file }, namespace: undefined });
    expect(hosts(await main.getInstances('web'))).toEqual(two);
    expect(hosts((await openWatch(main)).latest ?? [])).toEqual(two);
    const other = openBackend({ kubeconfig: { file, context: 'other' }, namespace: undefined });
    expect(hosts(await other.getInstances('web'))).toEqual(['10.1.2.1', '10.1.2.2']);
  });

  it('that is named by KUBECONFIG', async () => {
    const secured = await openSecured();
    vi.stubEnv('KUBECONFIG', kubeconfig(secured, { token: 'readertoken' }));
    vi.stubEnv('KUBERNETES_SERVICE_HOST', undefined);
    onTestFinished(() => void vi.unstubAllEnvs());
    expect(hosts(await openBackend({ namespace: undefined }).getInstances('web'))).toEqual(two);
  });

  it('with a file for the token, which is read again when it is refused', async () => {
    const secured = await openSecured();
    const file = kubeconfig(secured, { tokenFile: 'token' });
    const tokenFile = join(dirname(file), 'token');
    writeFileSync(tokenFile, 'readertoken\n');
    const backend = openBackend({ kubeconfig: { file } });
    expect(hosts(await backend.getInstances('web'))).toEqual(two);

    secured.api.tokens.delete('readertoken');
    secured.api.tokens.set('rotated', 'reader');
    writeFileSync(tokenFile, 'rotated\n');

    expect(hosts(await backend.getInstances('web'))).toEqual(two);
  });

  it('that is several files of KUBECONFIG is what the first of them says, and one that is not there says nothing', async () => {
    const [first, second] = [await openSecured(), await openSecured()];
    second.api.apply('demo', slice(2));
    const files = [
      '/nowhere/config',
      kubeconfig(first, { token: 'readertoken' }),
      kubeconfig(second, { token: 'nobodytoken' }, { current: 'other' }),
    ];
    vi.stubEnv('KUBECONFIG', files.join(delimiter));
    vi.stubEnv('KUBERNETES_SERVICE_HOST', undefined);
    onTestFinished(() => void vi.unstubAllEnvs());
    expect(hosts(await openBackend({ namespace: undefined }).getInstances('web'))).toEqual(two);
    expect(second.api.requests).toEqual([]);
  });

  it('with a client certificate', async () => {
    const secured = await openSecured();
    const { certificate, key } = secured.certificates.files;
    const file = kubeconfig(secured, { 'client-certificate': certificate, 'client-key': key });
    expect(hosts(await openBackend({ kubeconfig: { file } }).getInstances('web'))).toEqual(two);
  });

  it('with an exec plugin, which is asked again when what it said is refused', async () => {
    const secured = await openSecured();
    const { api } = secured;
    const tokenFile = join(folder(), 'token');
    writeFileSync(tokenFile, 'readertoken');
    const backend = openBackend({
      kubeconfig: { file: kubeconfig(secured, plugin(tokenFile)) },
      timeoutMs: 10_000,
    });
    expect(hosts(await backend.getInstances('web'))).toEqual(two);

    api.tokens.delete('readertoken');
    api.tokens.set('rotated', 'reader');
    writeFileSync(tokenFile, 'rotated');

    expect(hosts(await backend.getInstances('web'))).toEqual(two);
    expect(api.requests.map(({ authorization }) => authorization)).toEqual([
      'Bearer readertoken',
      'Bearer readertoken',
      'Bearer rotated',
    ]);
  });

  it('whose exec plugin fails does not show what that says', async () => {
    const secured = await openSecured();
    const tokenFile = join(folder(), 'token');
    writeFileSync(tokenFile, 's3cr3t');
    const file = kubeconfig(secured, plugin(tokenFile, 'fail'));
    const backend = openBackend({ kubeconfig: { file }, timeoutMs: 10_000 });
    const failure = await backend.getInstances('web').catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(BackendUnavailableError);
    expect(String(failure)).toContain('its file or its exec plugin failed');
    expect(everythingIn(failure)).not.toContain('s3cr3t');
  });

  it.each([
    ['does not exist', '/nowhere/config', /the kubeconfig cannot be used: ENOENT \/nowhere\/config/],
    ['has no such context', undefined, /the kubeconfig has no context "nobody"/],
  ])('that %s', async (_, given, message) => {
    const file = given ?? kubeconfig(await openSecured(), {});
    const backend = openBackend({ kubeconfig: { file, context: 'nobody' } });
    await expect(backend.getInstances('web')).rejects.toThrow(message);
  });

  it('is what loads the Kubernetes client, and nothing else', async () => {
    const secured = await openSecured();
    const { api, certificates } = secured;
    const accesses = [
      [{ url: api.url, ...reader, ca: certificates.ca }, 'false'],
      [{ kubeconfig: { file: kubeconfig(secured, { token: 'readertoken' }) } }, 'true'],
    ] as const;
    for (const [access, isLoaded] of accesses) {
      const program = fileURLToPath(new URL('loaded-modules.program.ts', import.meta.url));
      const args = ['--conditions=@sd/source', '--import=tsx', program, JSON.stringify(access)];
      const { stdout } = await promisify(execFile)(process.execPath, args);
      expect(stdout.trim()).toBe(isLoaded);
    }
  });
});
