import { execFile } from 'node:child_process';
import { mkdir, rm, symlink } from 'node:fs/promises';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { BackendUnavailableError } from '@sd/core';
import { eventually, type WatchRecorder } from '@sd/testkit';
import { hosts, openFolder, openWatch } from './open-backend.ts';
import { ServicesFolder } from './services-folder.ts';

const sees = (watch: WatchRecorder, ...expected: readonly string[]) =>
  watch.next((instances) => hosts(instances)?.join() === expected.join(), { timeoutMs: 5_000 });

async function openFiles(files: Readonly<Record<string, string>>) {
  const folder = await ServicesFolder.create();
  for (const [name, text] of Object.entries(files)) await folder.edit(text, name);
  return { folder, ...openFolder(folder.path) };
}

describe('a folder of services', () => {
  it('has a file for each, as JSON, YAML or a list of URLs; others are let be', async () => {
    const { backend } = await openFiles({
      'orders.yaml': '- http://10.0.0.1:80\n- { host: 10.0.0.2, port: 80 }',
      'payments.json': '["http://10.0.0.3:80"]',
      'user.profile.txt': '# two of them\nhttp://10.0.0.4:80, http://10.0.0.5:80\n',
      'empty.txt': '\n',
      'README.md': 'not ours',
      '.hidden.yaml': '- http://10.0.0.9:80',
    });
    expect([...(await backend.listServices())].sort()).toEqual(['orders', 'payments', 'user.profile']);
    expect(hosts(await backend.getInstances('orders'))).toEqual(['10.0.0.1', '10.0.0.2']);
    expect(hosts(await backend.getInstances('user.profile'))).toEqual(['10.0.0.4', '10.0.0.5']);
    expect(backend.malformed.count).toBe(0);
  });

  it('is seen when Kubernetes swaps the ConfigMap: keys that change, come and go', async () => {
    const folder = await ServicesFolder.create();
    await folder.swapConfigMap({ 'orders.txt': 'http://10.0.0.1:80' });
    const { backend } = openFolder(folder.path);
    const [orders, payments] = [await openWatch(backend), await openWatch(backend, 'payments')];
    expect(hosts(orders.latest)).toEqual(['10.0.0.1']);
    await folder.swapConfigMap({ 'orders.txt': 'http://10.0.0.2:80', 'payments.txt': 'http://10.0.0.3:80' });
    await sees(orders, '10.0.0.2');
    await sees(payments, '10.0.0.3');
    await folder.swapConfigMap({ 'payments.txt': 'http://10.0.0.3:80' });
    await orders.next(({ length }) => length === 0, { timeoutMs: 5_000 });
    expect(payments.snapshots).toHaveLength(2);
  });

  it('that has nothing left keeps the last good content: it is being replaced, or is not mounted any more', async () => {
    const { folder, backend, warnings } = await openFiles({ 'orders.txt': 'http://10.0.0.1:80' });
    const orders = await openWatch(backend);

    await rm(folder.path, { recursive: true });
    await mkdir(folder.path);
    await eventually(() =>
      expect(warnings).toContainEqual(expect.stringContaining('has no file of a service')),
    );
    expect(hosts(await backend.getInstances('orders'))).toEqual(['10.0.0.1']);

    await folder.edit('http://10.0.0.2:80', 'orders.txt');
    await sees(orders, '10.0.0.2');
    expect(orders.snapshots.map(({ instances }) => hosts(instances))).toEqual([['10.0.0.1'], ['10.0.0.2']]);
  });

  it('with a broken file loses nothing but the news of its service, and tells where it is broken', async () => {
    const { folder, backend } = await openFiles({
      'orders.yaml': '- http://10.0.0.1:80',
      'payments.yaml': '- http://10.0.0.2:80',
    });
    const payments = await openWatch(backend, 'payments');
    await folder.edit('- http://10.0.0.1:80\n- {', 'orders.yaml');
    await folder.edit('- http://10.0.0.3:80', 'payments.yaml');
    await sees(payments, '10.0.0.3');
    await eventually(() => expect(backend.malformed.count).toBe(1));
    expect(hosts(await backend.getInstances('orders'))).toEqual(['10.0.0.1']);
    expect(backend.malformed.recent).toMatchObject([
      {
        service: 'orders',
        key: 'orders.yaml',
        problem: expect.stringContaining(`${folder.file('orders.yaml')}:2:4`) as unknown,
      },
    ]);
  });

  it('tells the place of a bad entry in each kind of file', async () => {
    const { folder, backend } = await openFiles({
      'a.yaml': '- http://10.0.0.1:80\n- 8080',
      'b.json': '[\n  { "host": "b", "port": 0 }\n]',
      'c.txt': '# c\nhttp://10.0.0.1:80\n  10.0.0.2:80',
      'd.yaml': 'http://10.0.0.1:80',
    });
    await backend.listServices();
    expect(
      backend.malformed.recent.map(({ problem }) => problem.slice(folder.path.length + 1).split(': ')[0]),
    ).toEqual(['a.yaml:2:3', 'b.json:2:26', 'c.txt:3:3', 'd.yaml:1:1']);
  });

  it.each(['http://bob:s3,cr3t@a:80', 'http://bob:12#3cr3t@a:80', 'http://a:80 bob:s3 cr3t@b:80'])(
    'refuses a line with a password as a whole, and shows no part of it: %s',
    async (line) => {
      const { folder, backend } = await openFiles({
        'orders.txt': `${line}\nhttp://10.0.0.1:80 # of a@b.test`,
      });
      expect(hosts(await backend.getInstances('orders'))).toEqual(['10.0.0.1']);
      expect(backend.malformed.recent.map(({ problem }) => problem)).toEqual([
        `${folder.file('orders.txt')}:1:1: it is a URL with credentials, expected a URL without user name and password`,
      ]);
    },
  );

  it.each([
    ['a folder', (path: string) => mkdir(path), 'it is no regular file'],
    ['a link to nowhere', (path: string) => symlink('nowhere', path), 'ENOENT'],
    ['a pipe', (path: string) => promisify(execFile)('mkfifo', [path]), 'it is no regular file'],
  ])('with %s for a file loses nothing but that service, and tells so', async (_, make, problem) => {
    const { folder, backend } = await openFiles({ 'orders.txt': 'http://10.0.0.1:80' });
    await make(folder.file('broken.txt'));
    expect(await backend.listServices()).toEqual(['orders']);
    expect(backend.malformed.recent).toMatchObject([
      { service: 'broken', key: 'broken.txt', problem: expect.stringContaining(problem) as unknown },
    ]);
  });

  it('keeps the service whose file can no longer be read', async () => {
    const { folder, backend } = await openFiles({
      'orders.txt': 'http://10.0.0.1:80',
      'payments.txt': 'http://10.0.0.2:80',
    });
    const payments = await openWatch(backend, 'payments');
    await folder.remove('orders.txt');
    await mkdir(folder.file('orders.txt'));
    await folder.edit('http://10.0.0.3:80', 'payments.txt');
    await sees(payments, '10.0.0.3');
    await eventually(() => expect(backend.malformed.count).toBe(1));
    expect(hosts(await backend.getInstances('orders'))).toEqual(['10.0.0.1']);
  });

  it('with two files for a service takes the first', async () => {
    const { backend } = await openFiles({
      'orders.json': '["http://10.0.0.1:80"]',
      'orders.yaml': '- http://10.0.0.2:80',
    });
    expect(hosts(await backend.getInstances('orders'))).toEqual(['10.0.0.1']);
    expect(backend.malformed.recent).toMatchObject([{ service: 'orders', key: 'orders.yaml' }]);
  });

  it('that is not there is unavailable, and served once it is', async () => {
    const folder = await ServicesFolder.create();
    const { backend } = openFolder(folder.file('services'));
    await expect(backend.listServices()).rejects.toThrow(BackendUnavailableError);
    await mkdir(folder.file('services'));
    expect(await backend.listServices()).toEqual([]);
  });
});
