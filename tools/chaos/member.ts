import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { FaultProxy, networkOf, type Faults, type Network } from '@sd/testkit';
import { onProcessEnd } from '../servers/exit-cleanup.ts';
import { endingWithParent } from '../servers/server-process.ts';
import type { Assignment, Notice, Order } from './assignment.ts';
import type { HistoryWriter, Role } from './history.ts';
import type { Address, StorePlace } from './places.ts';

export interface MemberOptions {
  readonly who: string;
  readonly role: Role;
  /** What it runs. */
  readonly program: string;
  readonly history: HistoryWriter;
  readonly historyFile: string;
  readonly seed: number;
  readonly port: number;
  /** Where a provider is to be found by consumers in each place; of a consumer that of its own. */
  readonly wayHosts: readonly string[];
  /** Where the store is; the member reaches it through proxies of its own. */
  readonly addresses: readonly Address[];
  readonly placeAt: (addresses: readonly Address[]) => StorePlace;
  readonly onNotice?: (notice: Notice['notice']) => void;
}

/** A process of a run, with a network of its own between it and the store, and another for those who call it. */
export class Member {
  readonly who: string;
  readonly port: number;
  readonly network: Network;
  readonly #child: ChildProcess;
  readonly #proxies: readonly FaultProxy[];
  /** To a provider, from consumers in each place. */
  readonly #ways: readonly FaultProxy[];
  readonly #history: HistoryWriter;
  readonly #forget: () => void;
  readonly #exited: Promise<void>;
  #isFrozen = false;
  #isKilled = false;

  static async start(options: MemberOptions): Promise<Member> {
    const { addresses, role, port, wayHosts } = options;
    const proxies = await Promise.all(addresses.map((address) => FaultProxy.listen(address)));
    const hosts = role === 'provider' ? wayHosts : [];
    const target = { host: '127.0.0.1', port };
    const ways = await Promise.all(hosts.map((host) => FaultProxy.listen(target, { host, port })));
    return new Member(options, proxies, ways);
  }

  private constructor(options: MemberOptions, proxies: readonly FaultProxy[], ways: readonly FaultProxy[]) {
    const { who, port, history, historyFile, seed, placeAt, wayHosts } = options;
    this.who = who;
    this.port = port;
    this.network = networkOf(proxies);
    this.#proxies = proxies;
    this.#ways = ways;
    this.#history = history;
    const place = placeAt(proxies.map((proxy) => ({ host: proxy.host, port: proxy.port })));
    const assignment: Assignment = { who, historyFile, place, seed, port, wayHost: wayHosts[0] ?? '' };
    history.write({ kind: 'spawned', role: options.role }, who);
    const line = [process.execPath, options.program, JSON.stringify(assignment)] as const;
    const [command, ...args] = endingWithParent(line); // also one that is frozen
    const child = spawn(command, args, {
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
      // Ctrl-C in a terminal goes to all processes of a group; these end when the harness says so.
      detached: true,
    });
    this.#child = child;
    child.stderr?.setEncoding('utf8').on('data', (text: string) => history.write({ kind: 'log', text }, who));
    child.on('message', ({ notice }: Notice) => options.onNotice?.(notice));
    child.on('error', (error) => history.write({ kind: 'uncaught', text: error.message }, who));
    this.#forget = onProcessEnd(() => child.kill('SIGKILL'));
    this.#exited = once(child, 'exit').then(([code, signal]: unknown[]) => {
      history.write(
        {
          kind: 'exited',
          code: typeof code === 'number' ? code : null,
          signal: typeof signal === 'string' ? signal : null,
          killed: this.#isKilled,
        },
        who,
      );
      this.#forget();
    });
  }

  get isRunning(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** Whether somebody who probes it gets an answer. */
  get answers(): boolean {
    return this.isRunning && !this.#isFrozen;
  }

  /** Resolves when it has ended. */
  get exited(): Promise<void> {
    return this.#exited;
  }

  async kill(): Promise<void> {
    this.#isKilled = true;
    this.#child.kill('SIGKILL');
    await this.#exited;
    await this.#close();
  }

  freeze(): void {
    this.#isFrozen = true;
    this.#child.kill('SIGSTOP');
  }

  thaw(): void {
    this.#child.kill('SIGCONT');
    this.#isFrozen = false;
  }

  jumpClock(byMs: number): void {
    this.#send({ order: 'jump-clock', byMs });
  }

  /** What is wrong from now on with the ways to it from these places. They end with it. */
  async disturbCalls(consumers: readonly number[], faults: Faults): Promise<void> {
    if (!this.isRunning) return;
    await Promise.all(consumers.flatMap((place) => this.#ways[place - 1]?.set(faults) ?? []));
  }

  /** It leaves as in a rolling deploy. Resolves when it has ended, by itself or by force. */
  async drain(withinMs: number): Promise<void> {
    this.#history.write({ kind: 'told', to: 'drain' }, this.who);
    this.#send({ order: 'drain' });
    await this.#leave(withinMs);
  }

  /** SIGTERM. Resolves when it has ended, by itself or by force. */
  async end(withinMs: number): Promise<void> {
    this.#history.write({ kind: 'told', to: 'end' }, this.who);
    this.#child.kill('SIGTERM');
    await this.#leave(withinMs);
  }

  async #leave(withinMs: number): Promise<void> {
    const timer = setTimeout(() => {
      this.#history.write({ kind: 'log', text: `still there after ${withinMs} ms, is killed` }, this.who);
      this.#child.kill('SIGKILL');
    }, withinMs);
    await this.#exited;
    clearTimeout(timer);
    await this.#close();
  }

  async #close(): Promise<void> {
    await Promise.all([...this.#proxies, ...this.#ways].map((proxy) => proxy.close()));
  }

  #send(order: Order): void {
    if (this.#child.connected) this.#child.send(order, () => undefined);
  }
}
