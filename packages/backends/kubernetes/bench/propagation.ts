import { DiscoveryV1Api, KubeConfig, Watch } from '@kubernetes/client-node';
import { silentLogger } from '@sd/testkit';
import { KubernetesServer } from '../../../../tools/servers/index.ts';
import { KubernetesBackend } from '@sd/kubernetes';
import { manySlices, percentile, slicesPath } from './samples.ts';
import { figure, printTable } from '../../../../tools/bench/table.ts';
import { inTurn, medians } from '../../../../tools/bench/turns.ts';

const changes = 300;
const lookups = 100;

/** From the sending of a patch until a watch has it, and lookups, beside the client's own, in turns. */
export async function measurePropagation(): Promise<void> {
  await using server = await KubernetesServer.start({ tls: true });
  const [slice] = manySlices(1, 10, 1);
  await server.command('POST', slicesPath, slice);
  const { url, ca = '', readerToken: token } = server;
  await using backend = new KubernetesBackend({ url, token, ca, namespace: 'demo', logger: silentLogger });
  const config = new KubeConfig();
  const caData = Buffer.from(ca).toString('base64');
  config.loadFromClusterAndUser(
    { name: 'test', server: url, caData, skipTLSVerify: false },
    { name: 'me', token },
  );
  const seen = {
    '@sd/kubernetes': new Map<string, number>(),
    '@kubernetes/client-node Watch': new Map<string, number>(),
  };
  const over = new AbortController();
  const reading = (async () => {
    for await (const [first] of backend.watch('web-0', { signal: over.signal }))
      seen['@sd/kubernetes'].set(first?.metadata.node ?? '', performance.now());
  })();
  const raw = await new Watch(config).watch(
    slicesPath,
    {},
    (_, object: { endpoints: { nodeName: string }[] }) =>
      seen['@kubernetes/client-node Watch'].set(object.endpoints[0]?.nodeName ?? '', performance.now()),
    () => undefined,
  );
  const sentAt = new Map<string, number>();
  for (let n = 0; n < changes; n += 1) {
    const [first, ...others] = slice?.endpoints ?? [];
    sentAt.set(`n-${n}`, performance.now());
    await server.command('PATCH', `${slicesPath}/web-0-0`, {
      endpoints: [{ ...first, nodeName: `n-${n}` }, ...others],
    });
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  over.abort();
  raw.abort();
  await reading;
  const rows = Object.entries(seen).map(([name, times]) => {
    const tookMs = [...times]
      .filter(([id]) => sentAt.has(id))
      .map(([id, atMs]) => atMs - (sentAt.get(id) ?? Number.NaN));
    return [name, String(tookMs.length), figure(percentile(tookMs, 0.5)), figure(percentile(tookMs, 0.99))];
  });
  printTable('A patch to its watcher', ['patch → watch', 'seen', 'p50 ms', 'p99 ms'], rows);

  const api = config.makeApiClient(DiscoveryV1Api);
  const labelSelector = 'kubernetes.io/service-name=web-0';
  const ways = {
    '@sd/kubernetes': () => backend.getInstances('web-0'),
    '@kubernetes/client-node list': () =>
      api.listNamespacedEndpointSlice({ namespace: 'demo', labelSelector }),
  };
  const names = Object.keys(ways) as (keyof typeof ways)[]; // these are its keys
  const measured = await inTurn(names, { rounds: 5, warmUps: 1 }, async (name) => {
    const startedAt = performance.now();
    const cpu = process.cpuUsage();
    for (let n = 0; n < lookups; n += 1) await ways[name]();
    const { user, system } = process.cpuUsage(cpu);
    const perSecond = (1_000 * lookups) / (performance.now() - startedAt);
    return { perSecond, cpuUs: (user + system) / lookups };
  });
  printTable(
    'Look-ups: medians of 5 rounds',
    ['lookup of 10 endpoints, one at a time', '/s', 'CPU us'],
    Array.from(measured, ([name, rounds]) => [name, ...Object.values(medians(rounds))]),
  );
}
