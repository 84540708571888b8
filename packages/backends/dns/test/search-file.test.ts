import { readFile } from 'node:fs/promises';
import { expect, it, vi } from 'vitest';
import { BackendUnavailableError } from '@sd/core';
import { hosts, openBackend, openServer } from './open-backend.ts';

vi.mock('node:fs/promises', async (load) => ({ ...(await load<object>()), readFile: vi.fn() }));

const failure = (code: string) => Object.assign(new Error(`${code}: cannot open`), { code });

it('resolv.conf that cannot be read for the moment is read again, not taken for one without domains', async () => {
  const server = await openServer();
  server.set('orders.a.test', 'A', { data: '10.0.0.1' });
  vi.mocked(readFile).mockRejectedValueOnce(failure('EMFILE')).mockResolvedValue('search a.test');
  const backend = openBackend(server, { name: '{service}', type: 'A', port: 80 });
  const first = backend.getInstances('orders');
  await expect(first).rejects.toThrow(BackendUnavailableError);
  await expect(first).rejects.toThrow(/EMFILE/);
  expect(hosts(await backend.getInstances('orders'))).toEqual(['10.0.0.1']);
});

it('resolv.conf that is not for us counts as one without domains', async () => {
  const server = await openServer();
  server.set('orders', 'A', { data: '10.0.0.1' });
  vi.mocked(readFile).mockRejectedValue(failure('EACCES'));
  const backend = openBackend(server, { name: '{service}', type: 'A', port: 80 });
  expect(hosts(await backend.getInstances('orders'))).toEqual(['10.0.0.1']);
});
