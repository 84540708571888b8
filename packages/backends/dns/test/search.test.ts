import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { parseServer } from '../src/dns-servers.ts';
import { candidates, parseResolvConf, readSearchRules } from '../src/search-rules.ts';
import { hostOf, hosts, openBackend, openServer, srv } from './open-backend.ts';

const search = ['a.test', 'b.test'];
const addressOf = { A: '10.0.0.1', AAAA: '2001:db8::1' };

describe('search domains', () => {
  it.each([
    ['orders', 1, ['orders.a.test', 'orders.b.test', 'orders']],
    ['orders.shop', 1, ['orders.shop', 'orders.shop.a.test', 'orders.shop.b.test']],
    ['orders.shop', 2, ['orders.shop.a.test', 'orders.shop.b.test', 'orders.shop']],
    ['orders.shop.', 5, ['orders.shop']],
    ['orders', 0, ['orders', 'orders.a.test', 'orders.b.test']],
  ])('%s with ndots:%i', (name, ndots, expected) => {
    expect(candidates(name, { domains: search, ndots })).toEqual(expected);
  });

  it('are tried in order until one has the name', async () => {
    const server = await openServer();
    server.set('orders.b.test', 'A', { data: '10.0.0.1' });
    const backend = openBackend(server, { name: '{service}', type: 'A', port: 80, family: 4, search });
    expect(hosts(await backend.getInstances('orders'))).toEqual(['10.0.0.1']);
    expect(server.questions.map(({ name }) => name)).toEqual(['orders.a.test', 'orders.b.test']);
  });

  it('are not gone on with after a failure: what has the name there may be another service', async () => {
    const server = await openServer();
    server.set('orders.b.test', 'A', { data: '10.0.0.1' });
    server.fault = ({ name }) => (name === 'orders.a.test' ? { rcode: 2 } : undefined);
    const backend = openBackend(server, { name: '{service}', type: 'A', port: 80, search });
    await expect(backend.getInstances('orders')).rejects.toThrow(/SERVFAIL/);
  });

  it.each(['both' as const, undefined])(
    'are not gone on with where one has the name with addresses of another family: %s',
    async (family) => {
      const server = await openServer();
      const [own, others] = family === 'both' ? (['A', 'AAAA'] as const) : (['AAAA', 'A'] as const);
      server.set('orders.a.test', own, { data: addressOf[own] });
      server.set('orders.b.test', others, { data: addressOf[others] });
      const backend = openBackend(server, { name: '{service}', type: 'A', port: 80, family, search });
      expect(hosts(await backend.getInstances('orders'))).toEqual([addressOf[own]]);
    },
  );

  it('are none for the targets of SRV records', async () => {
    const server = await openServer();
    server.set('_orders._tcp.a.test', 'SRV', { data: srv(1) });
    server.set('web-1.test', 'A', { data: hostOf(1) });
    server.fault = () => ({ withoutAdditionals: true });
    const backend = openBackend(server, { name: '_{service}._tcp', search, ndots: 5 });
    expect(hosts(await backend.getInstances('orders'))).toEqual([hostOf(1)]);
    expect(server.questions.map(({ name }) => name)).toEqual(['_orders._tcp.a.test', 'web-1.test']);
  });
});

describe('resolv.conf', () => {
  it.each([
    ['nameserver 10.0.0.2\nsearch a.test b.test.\noptions ndots:5 timeout:2', search, 5],
    ['# search c.test\nsearch c.test\n  search\ta.test  b.test ; these', search, 1],
    ['search c.test\ndomain a.test', ['a.test'], 1],
    ['options ndots:99', [], 15],
    ['options ndots:x\nsearch .', [], 1],
    ['', [], 1],
  ])('%j', (text, domains, ndots) => {
    expect(parseResolvConf(text)).toEqual({ domains, ndots });
  });

  it('may be missing, and the environment has the last word', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'sd-dns-'));
    onTestFinished(() => rm(folder, { recursive: true }));
    const file = join(folder, 'resolv.conf');
    expect(await readSearchRules(file, {})).toEqual({ domains: [], ndots: 1 });
    await writeFile(file, 'search a.test\noptions ndots:2');
    expect(await readSearchRules(file, {})).toEqual({ domains: ['a.test'], ndots: 2 });
    const env = { LOCALDOMAIN: 'b.test', RES_OPTIONS: 'ndots:3' };
    expect(await readSearchRules(file, env)).toEqual({ domains: ['b.test'], ndots: 3 });
  });
});

describe('the address of a server', () => {
  it.each([
    ['10.0.0.2', { host: '10.0.0.2', port: 53 }],
    ['10.0.0.2:8600', { host: '10.0.0.2', port: 8600 }],
    ['::1', { host: '::1', port: 53 }],
    ['[::1]:54', { host: '::1', port: 54 }],
    ['fe80::1%eth0', { host: 'fe80::1%eth0', port: 53 }],
    ['localhost', undefined],
    ['10.0.0.2:0', undefined],
  ])('%s', (text, expected) => {
    expect(parseServer(text)).toEqual(expected);
  });
});
