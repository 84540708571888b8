import { freePorts } from '../servers/free-ports.ts';
import type { Bundle } from './bundle.ts';
import type { ChaosStore } from './chaos-store.ts';
import type { HistoryWriter, Role } from './history.ts';
import { Member } from './member.ts';
import { pace } from './pace.ts';
import type { Publisher } from './publisher.ts';
import { consumerPlaces, providerPlaces, type Link } from './schedule.ts';

export interface FleetOptions {
  readonly store: ChaosStore;
  readonly bundle: Bundle;
  readonly history: HistoryWriter;
  readonly historyFile: string;
  readonly seed: number;
  readonly publisher: Publisher | undefined;
}

/** The processes of a run, each in its place: who dies or leaves is followed by another one there. */
export class Fleet {
  readonly #options: FleetOptions;
  readonly #providers = new Map<number, Member>();
  readonly #consumers = new Map<number, Member>();
  /** How many there have been in each place. */
  readonly #lives = new Map<string, number>();
  readonly #published = new Map<string, () => void>();
  #isOver = false;

  constructor(options: FleetOptions) {
    this.#options = options;
  }

  async start(): Promise<void> {
    const providers = providerPlaces.map((place) => this.startProvider(place));
    const consumers = consumerPlaces.map((place) => this.startConsumer(place));
    await Promise.all([...providers, ...consumers]);
  }

  get places(): readonly number[] {
    return [...this.#providers.keys()];
  }

  find({ role, place }: Link): Member | undefined {
    return (role === 'provider' ? this.#providers : this.#consumers).get(place);
  }

  at(link: Link): Member {
    const { role, place } = link;
    const found = this.find(link);
    if (found === undefined) throw new Error(`There is no ${role} in place ${place}`);
    return found;
  }

  /** @returns the process, and a promise that resolves when it is published */
  async startProvider(place: number, port?: number): Promise<{ member: Member; published: Promise<void> }> {
    const [free = 0] = port === undefined ? await freePorts(1) : [port];
    const published = new Promise<void>((resolve) => this.#published.set(`${place}`, resolve));
    const member = await this.#spawn('provider', place, free);
    this.#providers.set(place, member);
    return { member, published };
  }

  async startConsumer(place: number): Promise<void> {
    this.#consumers.set(place, await this.#spawn('consumer', place, 0));
  }

  /** Another one takes the place, and then the one before leaves. */
  async replace(place: number): Promise<void> {
    const before = this.at({ role: 'provider', place });
    const { published } = await this.startProvider(place);
    const limit = new AbortController();
    await Promise.race([published, timeout(2 * pace.ttlMs, limit.signal)]);
    limit.abort();
    await before.drain(drainLimitMs);
  }

  async drain(place: number): Promise<void> {
    const member = this.at({ role: 'provider', place });
    this.#providers.delete(place);
    await member.drain(drainLimitMs);
  }

  /** SIGTERM to all at once. */
  async end(): Promise<void> {
    await Promise.all(this.#all.map((member) => member.end(drainLimitMs)));
  }

  /** After a failure of the harness itself. */
  async kill(): Promise<void> {
    this.#isOver = true;
    await Promise.all(this.#all.map((member) => member.kill()));
  }

  get #all(): readonly Member[] {
    return [...this.#providers.values(), ...this.#consumers.values()];
  }

  async #spawn(role: Role, place: number, port: number): Promise<Member> {
    const { store, bundle, history, historyFile, seed, publisher } = this.#options;
    const life = (this.#lives.get(`${role} ${place}`) ?? 0) + 1;
    this.#lives.set(`${role} ${place}`, life);
    const who = `${role}-${place}.${life}`;
    const member: Member = await Member.start({
      who,
      role,
      program: bundle[role],
      history,
      historyFile,
      seed: seed * 1_000 + place * 100 + life + (role === 'consumer' ? 50 : 0),
      port,
      wayHosts: role === 'consumer' ? [wayHostOf(place)] : consumerPlaces.map(wayHostOf),
      addresses: store.addresses,
      placeAt: (addresses) => store.placeAt(addresses),
      onNotice: (notice) => {
        publisher?.noticed(member, notice);
        if (notice === 'listening') this.#published.get(`${place}`)?.();
      },
    });
    if (!this.#isOver) return member;
    await member.kill();
    throw new Error('The fleet was killed');
  }
}

/**
 * At which address of this machine consumers in a place find all providers, each at its own port: a proxy listens there for
 * each, so that some can be cut off from somebody whom others reach. On Linux all of 127.0.0.0/8 is this machine.
 */
const wayHostOf = (place: number): string => `127.0.1.${place}`;

/** What a process may take to leave; one that is still there is killed, and found by the checker. */
const drainLimitMs = pace.drainMs + 6_000;

function timeout(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener('abort', () => clearTimeout(timer), { once: true });
  });
}
