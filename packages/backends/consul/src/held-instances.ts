import { randomUUID } from 'node:crypto';
import {
  AccessDeniedError,
  BackendUnavailableError,
  type Clock,
  type DiscoveryLogger,
  type HeldLease,
  type LeaseLoss,
  type Placement,
  type Rng,
  type ServiceInstance,
} from '@sd/core';
import type { ConsulCheck } from './consul-options.ts';
import type { ConsulStore, ServiceChecks } from './consul-store.ts';
import { OrderedChanges } from './ordered-changes.ts';
import { ProcessLease } from './process-lease.ts';
import { RenewalRounds } from './renewal-rounds.ts';
import { describeService, mainCheckId, notesOf, serviceIdOf, type Holder } from './service-definition.ts';

export interface HeldInstancesOptions {
  readonly store: ConsulStore;
  readonly check: ConsulCheck;
  readonly deregisterAfterMs: number;
  readonly clock: Clock;
  readonly rng: Rng;
  readonly logger: DiscoveryLogger;
}

/** So many instances have a TTL check of their own, as is the custom. With more, it would be too many renewals. */
const maxOwnChecks = 8;

/**
 * The instances of this process that have one time to live. In rounds, a third of it apart at most, they are renewed:
 * the first few by a TTL check each, all others by one lease, and the agent is asked which of these it still has.
 */
export class HeldInstances {
  readonly #options: HeldInstancesOptions;
  readonly #ttl: number;
  /** In the notes of all checks, so that we know them again. */
  readonly #owner = randomUUID();
  /** By their id in Consul. */
  readonly #leases = new Map<string, HeldLease>();
  /** Of those that are being registered, changed or withdrawn. */
  readonly #changes = new OrderedChanges();
  /** Those that have a TTL check of their own. */
  readonly #own = new Set<string>();
  /** In Consul, and about to be added or taken back. */
  readonly #placed = new Set<string>();
  /** The registration that each id is in Consul by: what is left of one before changes nothing there any more. */
  readonly #newest = new Map<string, object>();
  /** Those that could not be withdrawn, or may be there though nobody holds them. */
  readonly #unwanted = new Map<string, ServiceInstance>();
  /** Questions that are about to be asked, by service: which of its instances have checks of others. */
  readonly #asking = new Map<string, Promise<ReadonlySet<string>>>();
  readonly #rounds: RenewalRounds;
  #lease: ProcessLease;
  #isClosed = false;

  constructor(ttl: number, options: HeldInstancesOptions) {
    this.#ttl = ttl;
    this.#options = options;
    const { clock, rng, logger } = options;
    this.#rounds = new RenewalRounds({
      ttl,
      clock,
      rng,
      renew: (isFailing) => this.#renewAll(isFailing),
      isNeeded: () => this.#leases.size > 0 || this.#unwanted.size > 0,
      onFailing: (error) => this.#reportFailure(error),
      onRecovered: () => logger.info('Consul renews registrations again'),
    });
    this.#lease = this.#newLease();
  }

  /** Resolves when others can see it. */
  async place(instance: ServiceInstance): Promise<Placement> {
    const id = serviceIdOf(instance);
    const registration = {};
    const isNewest = (): boolean => this.#newest.get(id) === registration;
    let holder: Holder;
    try {
      holder = await this.#changes.make(id, async () => {
        const used = await this.#register(id, instance);
        this.#newest.set(id, registration);
        this.#unwanted.delete(id);
        this.#placed.add(id);
        return used;
      });
    } catch (error) {
      // It may have come through all the same, and with a TTL it ends by itself.
      const mayStay = this.#options.check.kind !== 'ttl' && error instanceof BackendUnavailableError;
      if (mayStay && !this.#isHeld(id)) this.#keepAsking(id, instance);
      await this.#retire();
      throw error;
    }
    return {
      write: (changed) =>
        this.#changes.make(id, async () => (isNewest() ? this.#write(changed, holder) : 'replaced')),
      remove: () =>
        this.#changes
          .make(id, async () => {
            if (!isNewest()) return;
            this.#newest.delete(id);
            this.#placed.delete(id);
            this.#forgetOwn(id);
            await this.#remove(id, instance);
          })
          .finally(() => this.#retire()),
    };
  }

  add(lease: HeldLease): void {
    const id = serviceIdOf(lease.instance);
    this.#placed.delete(id);
    this.#leases.set(id, lease);
    this.#rounds.begin();
  }

  delete(lease: HeldLease): void {
    const id = serviceIdOf(lease.instance);
    if (this.#leases.get(id) !== lease) return;
    this.#leases.delete(id);
    this.#forgetOwn(id);
    if (this.#leases.size > 0) return;
    if (this.#unwanted.size === 0) this.#rounds.stop();
    // When it is released, its removal is about to begin.
    void Promise.resolve().then(() => this.#retire());
  }

  close(): void {
    this.#isClosed = true;
    this.#rounds.stop();
    this.#leases.clear();
    this.#unwanted.clear();
  }

  #newLease(): ProcessLease {
    const { store, clock, deregisterAfterMs, check } = this.#options;
    const isRenewed = check.kind === 'ttl';
    return new ProcessLease({ store, clock, ttl: this.#ttl, deregisterAfterMs, isRenewed });
  }

  #holder({ id }: ProcessLease, isOwn: boolean): Holder {
    const { check, deregisterAfterMs } = this.#options;
    return {
      owner: this.#owner,
      keptBy: isOwn ? { ttl: this.#ttl } : { leaseId: id },
      check,
      deregisterAfterMs,
    };
  }

  /** @returns what it is held by */
  async #register(id: string, instance: ServiceInstance): Promise<Holder> {
    const { store, check } = this.#options;
    const lease = this.#lease;
    const isOwn = this.#own.has(id) || (check.kind === 'ttl' && this.#own.size < maxOwnChecks);
    const holder = this.#holder(lease, isOwn);
    const definition = describeService(instance, holder);
    if (isOwn) this.#own.add(id);
    try {
      const present = (await this.#checkedByOthers(instance.service)).has(id)
        ? (await store.checksOf(instance)).ids
        : [];
      const register = (): Promise<void> => store.register(definition, present);
      await (isOwn ? register() : this.#placeShared(instance, register, lease));
    } catch (error) {
      this.#forgetOwn(id);
      throw error;
    }
    return holder;
  }

  async #placeShared(
    instance: ServiceInstance,
    register: () => Promise<void>,
    lease: ProcessLease,
  ): Promise<void> {
    const isFresh = (await lease.grant()) || lease.ageMs < this.#ttl / 20;
    const [isKnown] = await Promise.all([isFresh || lease.renew(), register()]);
    if (!isKnown) throw this.#lostBy(instance, lease);
  }

  /** One question for all of a service that are registered in the same moment. */
  #checkedByOthers(service: string): Promise<ReadonlySet<string>> {
    let asking = this.#asking.get(service);
    if (asking === undefined) {
      asking = Promise.resolve().then(() => {
        this.#asking.delete(service);
        return this.#options.store.checkedByOthers(service);
      });
      this.#asking.set(service, asking);
    }
    return asking;
  }

  /** Unless there is a newer one of that id. */
  #forgetOwn(id: string): void {
    if (!this.#isHeld(id)) this.#own.delete(id);
  }

  #isHeld(id: string): boolean {
    return this.#leases.has(id) || this.#placed.has(id);
  }

  async #write(instance: ServiceInstance, holder: Holder): Promise<LeaseLoss | undefined> {
    const { store } = this.#options;
    const checks = await store.checksOf(instance);
    const loss = this.#lossBy(checks);
    if (loss === undefined) await store.register(describeService(instance, holder), checks.ids);
    return loss;
  }

  async #remove(id: string, instance: ServiceInstance): Promise<void> {
    const { store } = this.#options;
    try {
      if ((await this.#lossOf(instance)) === undefined) await store.deregister(id, instance.service);
      this.#unwanted.delete(id);
    } catch (error) {
      this.#keepAsking(id, instance);
      throw error;
    }
  }

  /** A check that the agent makes passes for as long as the process lives: nothing else would ever withdraw it. */
  #keepAsking(id: string, instance: ServiceInstance): void {
    if (this.#isClosed) return;
    this.#unwanted.set(id, instance);
    this.#rounds.begin();
  }

  async #withdrawUnwanted(): Promise<void> {
    const attempts = [...this.#unwanted].map(([id, instance]) =>
      this.#changes.make(id, async () => {
        if (this.#unwanted.has(id)) await this.#remove(id, instance);
      }),
    );
    await Promise.all(attempts);
  }

  /** Consul has nothing like compare-and-set for its agents: who has it is asked before. */
  async #lossOf(instance: ServiceInstance): Promise<LeaseLoss | undefined> {
    return this.#lossBy(await this.#options.store.checksOf(instance));
  }

  #lossBy({ holder }: ServiceChecks): LeaseLoss | undefined {
    if (holder === notesOf(this.#owner)) return undefined;
    return holder === undefined ? 'gone' : 'replaced';
  }

  /** Without instances there is nothing to keep. Never rejects: what stays is forgotten by Consul itself. */
  async #retire(): Promise<void> {
    const lease = this.#lease;
    if (this.#isClosed || !lease.wasGranted) return;
    const isShared = (id: string): boolean => !this.#own.has(id);
    const ids = [...this.#leases.keys(), ...this.#changes.ids, ...this.#placed];
    if (ids.some(isShared)) return;
    this.#lease = this.#newLease();
    await lease.remove().catch((error: unknown) => {
      if (!this.#isClosed) this.#options.logger.debug('Could not deregister an unused lease', { error });
    });
  }

  async #renewAll(isFailing: boolean): Promise<void> {
    if (isFailing) await this.#renewFirst();
    await Promise.all([this.#renewShared(this.#lease), this.#renewOwn()]);
    await this.#withdrawUnwanted();
  }

  /** While Consul is away one asks for all; another each time, should it fail for that one alone. */
  async #renewFirst(): Promise<void> {
    const own = this.#withOwnCheck();
    const first = own[Math.floor(this.#options.rng() * own.length)];
    if (first === undefined) return;
    await this.#renew(first).catch((error: unknown) => {
      if (!(error instanceof AccessDeniedError)) throw error; // others may be allowed to
    });
  }

  async #renewOwn(): Promise<void> {
    await Promise.all(this.#withOwnCheck().map((one) => this.#renew(one)));
  }

  #withOwnCheck(): [id: string, held: HeldLease][] {
    return [...this.#leases].filter(([id]) => this.#own.has(id));
  }

  async #renew([id, held]: readonly [id: string, held: HeldLease]): Promise<void> {
    const { store, clock } = this.#options;
    const startedAt = clock.monotonic();
    if (await store.pass(mainCheckId('ttl', id, this.#owner), held.instance.service)) held.renewed(startedAt);
    else if (this.#leases.get(id) === held && !this.#changes.has(id)) await this.#missed(id, held);
  }

  async #renewShared(lease: ProcessLease): Promise<void> {
    const { store } = this.#options;
    const shared = [...this.#leases].filter(([id]) => !this.#own.has(id));
    if (shared.length === 0) return;
    if (!(await lease.renew())) {
      this.#lost(lease);
      return;
    }
    for (const [, held] of shared) held.renewed(lease.renewedAt);
    const asked = shared.filter(([id]) => !this.#changes.has(id));
    const present = await store.heldBy(this.#owner);
    const isSettled = (id: string): boolean => !this.#changes.has(id);
    const missing = asked.filter(([id, held]) => {
      return !present.has(id) && isSettled(id) && this.#leases.get(id) === held;
    });
    await Promise.all(missing.map(([id, held]) => this.#missed(id, held)));
    const orphans = [...present].filter((id) => isSettled(id) && !this.#leases.has(id));
    await Promise.all(orphans.map((id) => store.deregister(id, id.slice(0, id.indexOf(':')))));
  }

  async #missed(id: string, held: HeldLease): Promise<void> {
    const loss = await this.#lossOf(held.instance);
    if (loss !== undefined && !this.#changes.has(id)) held.drop(loss);
  }

  #lostBy({ service }: ServiceInstance, lease: ProcessLease): BackendUnavailableError {
    this.#lost(lease);
    return new BackendUnavailableError('consul', 'Consul has lost the lease of this process', { service });
  }

  /** The agent knows the lease no more: it has lost its data, or we were away for too long. */
  #lost(lease: ProcessLease): void {
    if (lease !== this.#lease) return;
    this.#lease = this.#newLease();
    const reason = lease.isOverdue ? 'expired' : 'store-lost';
    for (const [id, held] of [...this.#leases]) if (!this.#own.has(id)) held.drop(reason);
  }

  #reportFailure(error: unknown): void {
    if (this.#isClosed) return;
    const [held, unwanted] = [this.#leases.size, this.#unwanted.size];
    const problem = `Consul does not renew ${held} registrations nor withdraw ${unwanted}; asking until it does`;
    this.#options.logger.warn(problem, { error });
  }
}
