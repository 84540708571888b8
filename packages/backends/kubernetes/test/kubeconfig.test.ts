import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { describe, expect, it, onTestFinished } from 'vitest';
import { ManualClock } from '@sd/core';
import { eventually } from '@sd/testkit';
import { kubeconfigSource } from '../src/kubeconfig.ts';

/** Says that it has started, and ends when it is told how, or its folder is gone. */
const script = `
echo started >> "$1/starts"
while [ -d "$1" ] && [ ! -s "$1/answer" ]; do sleep 0.02; done
cat "$1/answer"; grep -q ExecCredential "$1/answer"`;
const credential = JSON.stringify({
  apiVersion: 'client.authentication.k8s.io/v1',
  kind: 'ExecCredential',
  status: { token: 'readertoken', expirationTimestamp: '2099-01-01T00:00:00Z' },
});

/** A kubeconfig whose exec plugin was started once, and has not answered in time. */
async function openHanging() {
  const folder = mkdtempSync(join(tmpdir(), 'sd-kubeconfig-'));
  const answer = (text: string): void => writeFileSync(join(folder, 'answer'), text);
  onTestFinished(() => {
    answer('the test is over');
    rmSync(folder, { recursive: true });
  });
  const starts = (): number => {
    const file = join(folder, 'starts');
    return existsSync(file) ? readFileSync(file, 'utf8').trim().split('\n').length : 0;
  };
  const exec = {
    apiVersion: 'client.authentication.k8s.io/v1',
    command: 'sh',
    args: ['-c', script, 'plugin', folder],
    interactiveMode: 'Never',
  };
  const file = join(folder, 'config');
  writeFileSync(
    file,
    JSON.stringify({
      'current-context': 'main',
      clusters: [{ name: 'test', cluster: { server: 'https://host' } }],
      users: [{ name: 'me', user: { exec } }],
      contexts: [{ name: 'main', context: { cluster: 'test', user: 'me' } }],
    }),
  );
  const clock = new ManualClock();
  const source = kubeconfigSource({ file }, { clock, timeoutMs: 1_000 });
  const attempt = async (afresh: boolean): Promise<void> => {
    const refusal = expect(source(afresh)).rejects.toThrow('were not there within 1000 ms');
    // It reads the file and starts the plugin first, if there is none.
    await eventually(() => expect(starts()).toBe(1), { timeoutMs: 15_000 });
    await setImmediate();
    await clock.advance(1_000);
    await refusal;
  };
  await attempt(false);
  return { source, attempt, starts, answer };
}

describe('an exec plugin', { timeout: 30_000 }, () => {
  it('that hangs is waited for again, and no second one is started', async () => {
    const { attempt, starts } = await openHanging();
    await attempt(false);
    await attempt(true);
    expect(starts()).toBe(1);
  });

  it('that was late is of use to who waits for it then', async () => {
    const { source, starts, answer } = await openHanging();
    const access = source(false);
    answer(credential);
    expect((await access).headers).toMatchObject({ Authorization: 'Bearer readertoken' });
    expect(starts()).toBe(1);
  });

  it('that failed, however late, is started again', async () => {
    const { source, starts, answer } = await openHanging();
    const first = source(false);
    answer('no');
    await expect(first).rejects.toThrow('the kubeconfig cannot be used');
    answer(credential);
    expect((await source(false)).headers).toMatchObject({ Authorization: 'Bearer readertoken' });
    expect(starts()).toBe(2);
  });
});
