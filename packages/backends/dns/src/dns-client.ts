import { addressOf, type Clock } from '@sd/core';
import type { Answer } from 'dns-packet';
import { askOverTcp, askOverUdp } from './dns-exchange.ts';
import { canonical, describeRcode, rcodes, type Question, type Reply } from './dns-message.ts';
import type { DnsServers, ServerAddress } from './dns-servers.ts';
import type { DnsAnswer, DnsSource, KnownAddress, SrvRecord } from './dns-source.ts';
import { inFamilies, type Family } from './families.ts';
import { least } from './least.ts';
import { candidates, type SearchRules } from './search-rules.ts';
import { isDnsName } from './service-names.ts';
import { Slots } from './slots.ts';

export interface DnsClientOptions {
  readonly servers: DnsServers;
  readonly transport: 'udp' | 'tcp';
  readonly searchRules: () => Promise<SearchRules>;
  readonly timeoutMs: number;
  readonly clock: Clock;
}

/** Longest chain of aliases (CNAME) that is followed. */
const maxAliases = 8;

/** Each takes a socket, of which a process has 1,024 by default. */
const questionsAtOnce = 64;

/**
 * Asks DNS servers itself, because Node's resolver tells neither the TTL of SRV records nor that of an absence, nor the
 * addresses that come with them, and gives no single question up.
 * That there is nothing (`NXDOMAIN`, or no record of the type) is an answer. `SERVFAIL`, `REFUSED`, silence, loops of
 * aliases and answers about something else are failures.
 */
export class DnsClient implements DnsSource {
  readonly #options: DnsClientOptions;
  readonly #slots = new Slots(questionsAtOnce);

  constructor(options: DnsClientOptions) {
    this.#options = options;
  }

  srv(name: string, signal: AbortSignal): Promise<DnsAnswer<SrvRecord>> {
    return this.#search(name, (candidate) => this.#srvOf(candidate, signal));
  }

  addresses(name: string, family: Family, signal: AbortSignal): Promise<DnsAnswer<string>> {
    return this.#search(name, (candidate) =>
      inFamilies(family, (each) => this.#addressesOf(candidate, each, signal)),
    );
  }

  /**
   * As the system's own resolver tries search domains, all families in one before the next, except that a name which
   * could not be resolved is a failure, and no reason to go on: what has another name may be another service.
   */
  async #search<T>(
    name: string,
    resolve: (candidate: string) => Promise<DnsAnswer<T>>,
  ): Promise<DnsAnswer<T>> {
    const rules = name.endsWith('.') ? { domains: [], ndots: 0 } : await this.#options.searchRules();
    let ttlMs: number | undefined;
    for (const candidate of candidates(name, rules)) {
      if (candidate.length > 253) continue;
      const answer = await resolve(candidate);
      if (answer.records.length > 0) return answer;
      ttlMs = least(ttlMs, answer.ttlMs);
    }
    return { records: [], ttlMs };
  }

  async #srvOf(name: string, signal: AbortSignal): Promise<DnsAnswer<SrvRecord>> {
    const { records, ttlS, reply } = await this.#resolve({ name, type: 'SRV' }, signal);
    const known = new Map<string, KnownAddress[]>();
    for (const { name: owner, data, ttl = 0 } of reply.additionals.filter(isAddress)) {
      const target = canonical(owner);
      const addresses = known.get(target) ?? [];
      addresses.push({ address: data, ttlMs: 1_000 * ttl });
      known.set(target, addresses);
    }
    return {
      records: records.flatMap((record) => {
        if (record.type !== 'SRV') return [];
        const { target, port, priority = 0, weight = 0 } = record.data;
        return [{ target, port, priority, weight, addresses: known.get(canonical(target)) ?? [] }];
      }),
      ttlMs: msOf(ttlS),
    };
  }

  async #addressesOf(name: string, family: 4 | 6, signal: AbortSignal): Promise<DnsAnswer<string>> {
    const type = family === 4 ? 'A' : 'AAAA';
    const { records, ttlS } = await this.#resolve({ name, type }, signal);
    return { records: records.filter(isAddress).map(({ data }) => data), ttlMs: msOf(ttlS) };
  }

  /** Follows aliases, through one answer or several. */
  async #resolve(question: Question, signal: AbortSignal): Promise<Resolution> {
    const { type } = question;
    const passed = new Set<string>();
    let name = canonical(question.name);
    let ttlS: number | undefined;
    for (;;) {
      const asked = name;
      const reply = await this.#ask({ name, type }, signal);
      const aliases = new Map<string, Answer & { readonly type: 'CNAME' }>();
      for (const answer of reply.answers) {
        if (isAlias(answer)) aliases.set(canonical(answer.name), answer);
      }
      for (let alias = aliases.get(name); alias !== undefined; alias = aliases.get(name)) {
        passed.add(name);
        name = canonical(alias.data);
        if (!isDnsName(name)) throw new Error('an alias (CNAME) of what is no DNS name');
        if (passed.has(name)) throw new Error(`"${name}" is an alias of itself (CNAME)`);
        if (passed.size > maxAliases) throw new Error(`more than ${maxAliases} aliases (CNAME) in a row`);
        ttlS = least(ttlS, alias.ttl);
      }
      const records = reply.answers.filter(
        (answer) => answer.type === type && canonical(answer.name) === name,
      );
      for (const record of records) ttlS = least(ttlS, 'ttl' in record ? record.ttl : undefined);
      if (records.length > 0) return { records, ttlS, reply };
      const soa = reply.authorities.find((record) => record.type === 'SOA');
      if (reply.rcode === rcodes.noSuchName || soa !== undefined || asked === name)
        return { records, ttlS: least(ttlS, least(soa?.ttl, soa?.data.minimum)), reply };
    }
  }

  async #ask(question: Question, signal: AbortSignal): Promise<Reply> {
    const { servers } = this.#options;
    const problems = new Map<string, string>();
    // Which server is next is decided when it is our turn: those before us may have found out that one is silent.
    const askNext = async (): Promise<Reply | 'refused' | 'none'> => {
      const server = servers.inOrder().find((each) => !problems.has(addressOf(each)));
      if (server === undefined) return 'none';
      const askedAt = this.#options.clock.monotonic();
      try {
        const reply = await this.#askServer(server, question, signal);
        servers.answered(server);
        const { rcode } = reply;
        const isOutcome = rcode === rcodes.ok || rcode === rcodes.noSuchName;
        if (isOutcome && isAnswer(reply, question)) return reply;
        const problem = isOutcome ? 'the answer is about something else' : describeRcode(rcode);
        problems.set(addressOf(server), problem);
      } catch (error) {
        servers.failed(server, askedAt, this.#options.timeoutMs); // also when nobody waited to the end
        signal.throwIfAborted();
        problems.set(addressOf(server), error instanceof Error ? error.message : String(error));
      }
      return 'refused';
    };
    for (;;) {
      const reply = await this.#slots.run(askNext, signal);
      if (reply === 'none') break;
      if (reply !== 'refused') return reply;
    }
    const said = Array.from(problems, ([server, problem]) => `${server}: ${problem}`);
    throw new Error(said.join('; ') || 'there are no DNS servers');
  }

  async #askServer(server: ServerAddress, question: Question, signal: AbortSignal): Promise<Reply> {
    const { transport, timeoutMs, clock } = this.#options;
    const endsAt = clock.monotonic() + timeoutMs;
    const ask = (over: typeof askOverUdp, edns: boolean): Promise<Reply> =>
      over(server, question, {
        edns,
        clock,
        signal,
        timeoutMs: Math.max(1, Math.ceil(endsAt - clock.monotonic())),
      });
    const first = transport === 'tcp' ? askOverTcp : askOverUdp;
    let reply = await ask(first, true);
    const isPuzzled = reply.rcode === rcodes.formatError || reply.rcode === rcodes.notImplemented;
    if (isPuzzled) reply = await ask(first, false);
    if (!reply.isTruncated) return reply;
    if (first === askOverUdp) {
      reply = await ask(askOverTcp, !isPuzzled).catch((cause: unknown) => {
        const problem = cause instanceof Error ? cause.message : String(cause);
        throw new Error(`the answer is cut off, and over TCP: ${problem}`, { cause });
      });
    }
    // A part would be taken for the whole.
    if (reply.isTruncated) throw new Error('the answer is cut off even over TCP');
    return reply;
  }
}

interface Resolution {
  readonly records: readonly Answer[];
  readonly ttlS: number | undefined;
  readonly reply: Pick<Reply, 'additionals'>;
}

/**
 * What there is, or that there is nothing, which some servers say with no record at all. One that points to others has
 * not answered.
 */
function isAnswer(reply: Reply, { name, type }: Question): boolean {
  const { rcode, answers, authorities, isAuthoritative, isRecursive } = reply;
  if (rcode === rcodes.noSuchName || authorities.some((record) => record.type === 'SOA')) return true;
  if (answers.length === 0) return authorities.length === 0 || isAuthoritative || isRecursive;
  return answers.some((each) => canonical(each.name) === name && (each.type === type || isAlias(each)));
}

const isAlias = (answer: Answer): answer is Answer & { readonly type: 'CNAME'; readonly data: string } =>
  answer.type === 'CNAME';

const isAddress = (
  answer: Answer,
): answer is Answer & { readonly type: 'A' | 'AAAA'; readonly data: string } =>
  answer.type === 'A' || answer.type === 'AAAA';

const msOf = (seconds: number | undefined): number | undefined =>
  seconds === undefined ? undefined : seconds * 1_000;
