import { describe, expect, it } from 'vitest';
import { BackendUnavailableError, ConfigValidationError, ManualClock, seededRng } from '@sd/core';
import { eventually } from '@sd/testkit';
import type { DnsServer } from '../../../../tools/servers/index.ts';
import { encodeQuestion, readReply } from '../src/dns-message.ts';
import { hostOf, hosts, openBackend, openServer, openWatch, openWith, publish, srv } from './open-backend.ts';

const name = '_orders._tcp.test';
const up = (server: DnsServer, ...others: readonly DnsServer[]) => ({
  servers: [server, ...others].map(({ address }) => address),
});
/** Marked so (TC), and with fewer records than it announces. */
function cutWithinRecord(message: Buffer): Buffer {
  message.writeUInt16BE(message.readUInt16BE(2) | 0x0200, 2);
  return message.subarray(0, message.length - 5);
}

type Fault = NonNullable<DnsServer['fault']>;
const pointElsewhere: Fault = () => ({
  rewrite: (reply) => [
    { ...reply, flags: 0, answers: [], authorities: [{ type: 'NS', name: 'test', data: 'ns.test' }] },
  ],
});
const tellOfOthers: Fault = () => ({
  withoutSoa: true,
  rewrite: (reply) => [{ ...reply, flags: 0, answers: [{ name: 'other.test', type: 'SRV', data: srv(66) }] }],
});

describe('an answer that is cut off', () => {
  it('is asked for again over TCP', async () => {
    const server = await openServer();
    publish(server, 1, 2);
    server.fault = ({ transport }) => (transport === 'udp' ? { truncated: true } : {});
    expect(hosts(await openBackend(server).getInstances('orders'))).toEqual([hostOf(1), hostOf(2)]);
    expect(server.questions.map(({ transport }) => transport)).toEqual(['udp', 'tcp']);
  });

  it('is asked for again over TCP where it ends within a record', async () => {
    const server = await openServer();
    publish(server, 1, 2);
    server.fault = ({ transport }) =>
      transport === 'udp' ? { withoutAdditionals: true, bytes: cutWithinRecord } : {};
    expect(hosts(await openBackend(server).getInstances('orders'))).toEqual([hostOf(1), hostOf(2)]);
    expect(server.questions.map(({ transport }) => transport)).toEqual(['udp', 'tcp']);
  });

  it('is taken over UDP as long as it fits into 1,232 bytes', async () => {
    const server = await openServer();
    publish(server, ...Array.from({ length: 12 }, (_, n) => n));
    expect(await openBackend(server).getInstances('orders')).toHaveLength(12);
    expect(server.questions.map(({ transport }) => transport)).toEqual(['udp']);
  });

  it('may be as large as TCP allows', async () => {
    const server = await openServer();
    publish(server, ...Array.from({ length: 900 }, (_, n) => n));
    const backend = openBackend(server, { targets: 'names' });
    expect(await backend.getInstances('orders')).toHaveLength(900);
    expect(server.questions.map(({ transport }) => transport)).toEqual(['udp', 'tcp']);
  });

  it('is a failure when TCP cuts it off too, and never an empty or partial snapshot', async () => {
    const server = await openServer();
    publish(server, 1);
    server.fault = () => ({ truncated: true });
    await expect(openBackend(server).getInstances('orders')).rejects.toThrow(/cut off even over TCP/);
  });

  it('is a failure that says so where TCP ends without an answer', async () => {
    const server = await openServer();
    publish(server, 1);
    server.fault = ({ transport }) => (transport === 'udp' ? { truncated: true } : { silent: true });
    const backend = openBackend(server, { timeoutMs: 500 });
    await expect(backend.getInstances('orders')).rejects.toThrow(/cut off, and over TCP: no answer within/);
  });
});

describe('what answers something else', () => {
  it.each([
    ['the id of another question', (id: number) => ({ id: (id + 1) % 65_536 })],
    ['another name', () => ({ questions: [{ name: 'other.test', type: 'SRV' as const }] })],
    ['another type', () => ({ questions: [{ name, type: 'A' as const }] })],
    ['no question', () => ({ questions: [] })],
    ['a question', () => ({ type: 'query' as const })],
  ])('%s: is let pass, and the true answer counts', async (_, forge) => {
    const server = await openServer();
    publish(server, 1);
    server.fault = () => ({
      rewrite: (reply) => [
        { ...reply, answers: [{ name, type: 'SRV', data: srv(66) }], ...forge(reply.id ?? 0) },
        reply,
      ],
    });
    expect(hosts(await openBackend(server).getInstances('orders'))).toEqual([hostOf(1)]);
  });

  it('is a failure when nothing else comes, and over TCP at once', async () => {
    const server = await openServer();
    publish(server, 1);
    server.fault = () => ({ rewrite: (reply) => [{ ...reply, id: ((reply.id ?? 0) + 1) % 65_536 }] });
    const over = (transport: 'udp' | 'tcp') =>
      openBackend(server, { transport, timeoutMs: transport === 'udp' ? 500 : 5_000 });
    const ofUdp = over('udp').getInstances('orders');
    await expect(ofUdp).rejects.toThrow(BackendUnavailableError);
    await expect(ofUdp).rejects.toThrow(/no answer within 500 ms, only a reply to something else/);
    await expect(over('tcp').getInstances('orders')).rejects.toThrow(/it sent a reply to something else/);
  });

  it('records of other names are left out', async () => {
    const server = await openServer();
    publish(server, 1);
    server.fault = () => ({
      rewrite: (reply) => [
        {
          ...reply,
          answers: [{ name: '_payments._tcp.test', type: 'SRV', data: srv(66) }, ...(reply.answers ?? [])],
        },
      ],
    });
    expect(hosts(await openBackend(server).getInstances('orders'))).toEqual([hostOf(1)]);
  });

  it('nothing but records of other names is a failure, and not an absence', async () => {
    const server = await openServer();
    publish(server, 1);
    server.fault = tellOfOthers;
    await expect(openBackend(server).getInstances('orders')).rejects.toThrow(/about something else/);
  });

  it('bytes that are no message are let pass', async () => {
    const server = await openServer();
    publish(server, 1);
    server.fault = () => ({ bytes: (message) => message.subarray(0, 20) });
    const backend = openBackend(server, { timeoutMs: 500 });
    await expect(backend.getInstances('orders')).rejects.toThrow(/only a reply that cannot be decoded/);
  });

  it('more records than there can be, beside no answer, is no absence', async () => {
    const server = await openServer();
    server.fault = () => ({ bytes: (message) => (message.writeUInt16BE(65_535, 10), message) });
    const backend = openBackend(server, { timeoutMs: 500 });
    await expect(backend.getInstances('orders')).rejects.toThrow(/only a reply that cannot be decoded/);
  });

  it('no bytes make reading throw', async () => {
    const server = await openServer();
    publish(server, 1, 2);
    const question = { name, type: 'SRV' as const };
    let message = encodeQuestion(question, 7, true);
    server.fault = () => ({ bytes: (bytes) => (message = bytes) });
    await openBackend(server).getInstances('orders');
    const id = message.readUInt16BE(0);
    const rng = seededRng(1);
    const seen = new Set<string>();
    for (let round = 0; round < 2_000; round += 1) {
      const broken = Buffer.from(message.subarray(0, 2 + rng() * message.length));
      for (let n = 0; n < 3; n += 1) broken[2 + Math.floor(rng() * broken.length)] = Math.floor(rng() * 256);
      seen.add(typeof readReply(broken, question, id));
    }
    expect([...seen].sort()).toEqual(['object', 'string']);
  });
});

describe('aliases', () => {
  const alias = (server: DnsServer, from: string, to: string) => server.set(from, 'CNAME', { data: to });

  it('are followed, with the shortest TTL of all', async () => {
    const server = await openServer();
    alias(server, name, 'other.test');
    alias(server, 'other.test', '_real._tcp.test');
    server.set('_real._tcp.test', 'SRV', { data: srv(1) });
    server.set('web-1.test', 'A', { data: hostOf(1) });
    expect(hosts(await openBackend(server).getInstances('orders'))).toEqual([hostOf(1)]);
  });

  it('are followed by a question where the answer ends with them', async () => {
    const server = await openServer();
    alias(server, name, '_real._tcp.test');
    server.set('_real._tcp.test', 'SRV', { data: srv(1) });
    server.set('web-1.test', 'A', { data: hostOf(1) });
    server.fault = (question) =>
      question.name === name
        ? { withoutSoa: true, rewrite: (reply) => [{ ...reply, answers: reply.answers?.slice(0, 1) }] }
        : {};
    expect(hosts(await openBackend(server).getInstances('orders'))).toEqual([hostOf(1)]);
    expect(server.questions.map((question) => question.name)).toEqual([name, '_real._tcp.test']);
  });

  it.each([
    ['in one answer', false],
    ['over several', true],
  ])('in a circle are a failure, %s', async (_, oneByOne) => {
    const server = await openServer();
    alias(server, name, 'a.test');
    alias(server, 'a.test', 'b.test');
    alias(server, 'b.test', 'a.test');
    if (oneByOne) {
      server.fault = () => ({
        withoutSoa: true,
        rewrite: (reply) => [{ ...reply, answers: reply.answers?.slice(0, 1) }],
      });
    }
    await expect(openBackend(server).getInstances('orders')).rejects.toThrow(
      /"a.test" is an alias of itself/,
    );
    expect(server.questions.length).toBeLessThanOrEqual(4);
  });

  it('of itself are a failure', async () => {
    const server = await openServer();
    alias(server, name, name);
    await expect(openBackend(server).getInstances('orders')).rejects.toThrow(/is an alias of itself/);
  });

  it('without end are a failure', async () => {
    const server = await openServer();
    alias(server, name, 'n0.test');
    for (let n = 0; n < 20; n += 1) alias(server, `n${n}.test`, `n${n + 1}.test`);
    await expect(openBackend(server).getInstances('orders')).rejects.toThrow(/more than 8 aliases/);
  });

  it('of a name that does not exist are empty', async () => {
    const server = await openServer();
    alias(server, name, 'gone.test');
    expect(await openBackend(server).getInstances('orders')).toEqual([]);
  });
});

describe('a server that', () => {
  it.each([
    ['has failed (SERVFAIL)', { rcode: 2 }],
    ['refuses (REFUSED)', { rcode: 5 }],
    ['is silent', { silent: true }],
  ])('%s is followed by the next', async (_, fault) => {
    const [bad, good] = [await openServer(), await openServer()];
    for (const server of [bad, good]) publish(server, 1);
    bad.fault = () => fault;
    const backend = openWith({ ...up(bad, good), timeoutMs: 500 });
    expect(hosts(await backend.getInstances('orders'))).toEqual([hostOf(1)]);
  });

  it('denies a name is believed, whatever the next would say', async () => {
    const [empty, full] = [await openServer(), await openServer()];
    publish(full, 1);
    expect(await openWith(up(empty, full)).getInstances('orders')).toEqual([]);
  });

  it('is silent is asked last from then on, and first again when it has answered', async () => {
    const [first, second] = [await openServer(), await openServer()];
    for (const server of [first, second]) publish(server, 1);
    first.fault = () => ({ silent: true });
    const backend = openWith({ ...up(first, second), timeoutMs: 500 });
    await backend.getInstances('orders');
    const asked = first.questions.length;
    await backend.getInstances('orders');
    expect(first.questions).toHaveLength(asked);

    first.fault = undefined;
    second.fault = () => ({ rcode: 2 });
    await backend.getInstances('orders');
    second.fault = undefined;
    const others = second.questions.length;
    await backend.getInstances('orders');
    expect(second.questions).toHaveLength(others);
  });

  it('is silent about one name is still asked first for others', async () => {
    const [first, second] = [await openServer(), await openServer()];
    publish(first, 1);
    first.fault = (question) => (question.name === '_broken._tcp.test' ? { silent: true } : undefined);
    const backend = openWith({ ...up(first, second), timeoutMs: 500 });
    const broken = backend.getInstances('broken');
    expect(hosts(await backend.getInstances('orders'))).toEqual([hostOf(1)]);
    expect(await broken).toEqual([]);
    expect(hosts(await backend.getInstances('orders'))).toEqual([hostOf(1)]);
  });

  it('is silent about a target is followed by the next', async () => {
    const [first, second] = [await openServer(), await openServer()];
    for (const server of [first, second]) publish(server, 1, 2);
    first.fault = (question) => ({ withoutAdditionals: true, silent: question.name === 'web-2.test' });
    const backend = openWith({ ...up(first, second), timeoutMs: 500 });
    expect(hosts(await backend.getInstances('orders'))).toEqual([hostOf(1), hostOf(2)]);
  });

  it('was down for a moment is asked first as soon as it is back', async () => {
    const [first, second] = [await openServer(), await openServer()];
    publish(first, 1);
    const backend = openWith({ ...up(first, second), transport: 'tcp', timeoutMs: 500 });
    // TCP is refused at once, as a port that nobody listens on is over UDP.
    first.fault = () => ({ bytes: () => Buffer.alloc(12) });
    expect(await backend.getInstances('orders')).toEqual([]);
    first.fault = undefined;
    expect(hosts(await backend.getInstances('orders'))).toEqual([hostOf(1)]);
  });

  it('is silent is asked last also when nobody waited for it to the end', async () => {
    const [first, second] = [await openServer(), await openServer()];
    publish(second, 1);
    first.fault = () => ({ silent: true });
    const clock = new ManualClock();
    const backend = openWith({ ...up(first, second), timeoutMs: 3_000, clock });
    const stop = new AbortController();
    const failure = expect(backend.getInstances('orders', stop)).rejects.toThrow('enough');
    await clock.advance(2_000);
    stop.abort(new Error('enough'));
    await failure;
    expect(hosts(await backend.getInstances('orders'))).toEqual([hostOf(1)]);
  });

  it('is silent keeps many questions waiting no longer than one', async () => {
    const [silent, good] = [await openServer(), await openServer()];
    publish(good, 1);
    silent.fault = () => ({ silent: true });
    const backend = openWith({ ...up(silent, good), timeoutMs: 500 });
    const begin = performance.now();
    await Promise.all(Array.from({ length: 400 }, () => backend.getInstances('orders')));
    // Seven rounds of 64 would take 3.5 s.
    expect(performance.now() - begin).toBeLessThan(2_500);
  });

  it('loses a packet or two is asked again', async () => {
    const server = await openServer();
    publish(server, 1);
    server.fault = () => ({ silent: server.questions.length < 3 });
    const backend = openBackend(server, { timeoutMs: 1_500 });
    expect(hosts(await backend.getInstances('orders'))).toEqual([hostOf(1)]);
  });

  it('fails is named with what is wrong, and all others with it', async () => {
    const [failed, silent, gone] = [await openServer(), await openServer(), await openServer()];
    failed.fault = () => ({ rcode: 2 });
    silent.fault = () => ({ silent: true });
    await gone.close();
    const failure = openWith({ ...up(failed, silent, gone), timeoutMs: 500 }).getInstances('orders');
    await expect(failure).rejects.toMatchObject({ code: 'ERR_SD_BACKEND_UNAVAILABLE', service: 'orders' });
    await expect(failure).rejects.toThrow(
      `cannot resolve SRV of "${name}.": ${failed.address}: SERVFAIL; ${silent.address}: no answer within 500 ms`,
    );
    await expect(failure).rejects.toThrow(/ECONNREFUSED/);
  });

  it('does not know EDNS is asked without it', async () => {
    const server = await openServer();
    publish(server, 1);
    server.fault = () => (server.questions.length === 1 ? { rcode: 1 } : {});
    expect(hosts(await openBackend(server).getInstances('orders'))).toEqual([hostOf(1)]);
  });

  it('only points to other servers has not answered', async () => {
    const server = await openServer();
    server.fault = pointElsewhere;
    await expect(openBackend(server).getInstances('orders')).rejects.toThrow(/about something else/);
  });

  it.each([
    ['only points to other servers', pointElsewhere],
    ['only has records of other names', tellOfOthers],
  ])('%s is followed by the next', async (_, fault) => {
    const [bad, good] = [await openServer(), await openServer()];
    publish(good, 1);
    bad.fault = fault;
    expect(hosts(await openWith(up(bad, good)).getInstances('orders'))).toEqual([hostOf(1)]);
  });

  it('fails ends a watch, which never sees an empty snapshot', async () => {
    const server = await openServer();
    publish(server, 1);
    const watch = await openWatch(openBackend(server));
    server.fault = () => ({ rcode: 2 });
    await eventually(() => expect(watch.end?.error).toBeInstanceOf(BackendUnavailableError));
    expect(watch.snapshots).toHaveLength(1);
  });
});

describe('a record', () => {
  it.each([
    ['without a port', { ...srv(2), port: 0 }, /"port" is 0/],
    ['whose target does not exist', { ...srv(2), target: 'gone.test' }, /"gone.test" has no address/],
    ['whose target is no name', { ...srv(2), target: 'a b.test' }, /"a b.test" is no DNS name/],
    ['whose target is the root, beside others', { ...srv(2), target: '.' }, /is no DNS name/],
  ])('%s is skipped and counted once, and the others are served', async (_, data, problem) => {
    const server = await openServer();
    publish(server, 1, 2);
    server.set(name, 'SRV', { data: srv(1) }, { data });
    const backend = openBackend(server);
    expect(hosts(await backend.getInstances('orders'))).toEqual([hostOf(1)]);
    await backend.getInstances('orders');
    expect(backend.malformed.count).toBe(1);
    expect(backend.malformed.recent[0]?.problem).toMatch(problem);
  });

  it('whose target can be no host is skipped where hosts are names', async () => {
    const server = await openServer();
    server.set(name, 'SRV', { data: srv(1) }, { data: { ...srv(2), target: 'a b.test' } });
    const backend = openBackend(server, { targets: 'names' });
    expect(hosts(await backend.getInstances('orders'))).toEqual(['web-1.test']);
    expect(backend.malformed.count).toBe(1);
  });
});

describe('a service that can have no name in DNS', () => {
  it.each([
    ['an empty label', 'a..b'],
    ['a label of more than 63 characters', 'x'.repeat(64)],
  ])('is refused at once: %s', async (_, service) => {
    const server = await openServer();
    const backend = openBackend(server);
    await expect(backend.getInstances(service)).rejects.toThrow(ConfigValidationError);
    const watch = backend.watch(service, { signal: new AbortController().signal });
    await expect(watch.next()).rejects.toThrow(ConfigValidationError);
    expect(server.questions).toEqual([]);
  });

  it('is refused when the function makes none', async () => {
    const server = await openServer();
    const backend = openBackend(server, { name: (service) => `${service} .test` });
    await expect(backend.getInstances('orders')).rejects.toThrow(
      /"name" is "orders .test" for service "orders"/,
    );
  });
});
