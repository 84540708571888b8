import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { describe, expect, it } from 'vitest';
import { DemoProcess } from './demo-process.ts';

/** Far more than it takes, as others may be at work on this machine. */
const timeout = 60_000;

describe('the demo', () => {
  it('keeps its promises, in plain lines of at most 80 columns', { timeout }, async () => {
    const { code, stdout, stderr } = await new DemoProcess('--seconds', '5', '--rate', '50').ended;
    expect(code, stdout + stderr).toBe(0);
    expect(stderr).toBe('');
    expect(stdout).toMatch(/^ +\d\.\d s {2}payments-1 is killed/m);
    expect(stdout).toMatch(/^ +\d\.\d s {2}\d+ calls {2}0 failed/m);
    expect(stdout).toMatch(/^Summary\n {2}calls +2\d\d in \d\.\d s, 0 failed$/m);
    expect(stdout.match(/^ {2}ok /gm)).toHaveLength(7);
    expect(stdout).not.toContain('BROKEN');
    // eslint-disable-next-line no-control-regex -- control characters are what must not be there
    expect(stdout).not.toMatch(/[\u0000-\u0009\u000b-\u001f]/);
    expect(stdout.split('\n').filter(({ length }) => length > 80)).toEqual([]);
  });

  it('ends in order at Ctrl-C, with a summary so far', { timeout }, async () => {
    const demo = new DemoProcess('--seconds', '30');
    await demo.printed('customers begin to buy');
    demo.kill('SIGINT');
    const { code, stdout } = await demo.ended;
    expect(code, stdout).toBe(130);
    expect(stdout).toMatch(/^ {2}calls .* 0 failed$/m);
    expect(stdout).toContain('Interrupted: the promises were not judged.');
  });

  it('exits with 2 when an option is wrong, and runs nothing', { timeout }, async () => {
    const { code, stdout, stderr } = await new DemoProcess('--strategy', 'best').ended;
    expect(code).toBe(2);
    expect(stdout).toBe('');
    expect(stderr).toMatch(/^--strategy is "best", expected one of round-robin, .*\nSee --help\.\n$/);
  });

  it('exits with 2 and says why when the store does not answer', { timeout }, async () => {
    const url = `redis://user:secret@127.0.0.1:${await closedPort()}`;
    const { code, stdout, stderr } = await new DemoProcess('--backend', url).ended;
    expect(code).toBe(2);
    expect(stdout).toBe('');
    expect(stderr).toMatch(/^Cannot use the store at redis:\/\/\*\*\*@127\.0\.0\.1:\d+: .*ECONNREFUSED.*\n$/);
  });

  it('prints its help', { timeout }, async () => {
    const { code, stdout } = await new DemoProcess('--help').ended;
    expect(code).toBe(0);
    expect(stdout).toContain('Usage: npm start -- [options]');
  });
});

async function closedPort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
