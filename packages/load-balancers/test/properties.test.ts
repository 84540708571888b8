import { instanceStatuses, ManualClock, seededRng, takesRequests, type ServiceInstance } from '@sd/core';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  LoadBalancerFactory,
  type Endpoint,
  type EndpointPool,
  type EndpointSet,
  type Outcome,
  type SetExplanation,
} from '../src/index.ts';
import { priorityLoads, type LevelLoad } from '../src/layers/priority.ts';
import { Subset } from '../src/layers/subset.ts';
import { instance, poolOf, type Given } from './pools.ts';

const outcomes = ['ok', 'error', 'overload', 'connect-failure', 'timeout', 'cancelled'] as const;
const filters = [undefined, { zone: 'x' }, { predicate: ({ id }: ServiceInstance) => id < 'i5' }] as const;

const anyGiven = fc.record({
  id: fc.constantFrom('i0', 'i1', 'i2', 'i3', 'i4', 'i5', 'i6'),
  status: fc.constantFrom('healthy', 'healthy', 'healthy', 'healthy', ...instanceStatuses),
  weight: fc.constantFrom(1, 1, 0, 0.1, 0.7, 5),
  priority: fc.constantFrom(0, 0, 0, 1, 2),
  zone: fc.constantFrom('x', 'y', undefined),
  host: fc.constantFrom('here', 'here', 'here', 'there'),
});

const anyCommand = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({
      does: fc.constant('update'),
      given: fc.array(anyGiven, { maxLength: 9, size: 'max' }),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      does: fc.constant('eject'),
      whom: fc.nat(99),
      forMs: fc.integer({ min: 1, max: 2_000 }),
      unreachable: fc.boolean(),
    }),
  },
  { weight: 1, arbitrary: fc.record({ does: fc.constant('restore'), whom: fc.nat(99) }) },
  {
    weight: 2,
    arbitrary: fc.record({ does: fc.constant('degrade'), whom: fc.nat(99), isSlow: fc.boolean() }),
  },
  {
    weight: 16,
    arbitrary: fc.record({
      does: fc.constant('pick'),
      set: fc.nat(99),
      key: fc.option(fc.constantFrom('k1', 'k2', 'k3', 'k4', 'k5'), { nil: undefined }),
      /** In bits, by place. */
      tried: fc.oneof(fc.constant(0), fc.nat(127)),
    }),
  },
  {
    weight: 12,
    arbitrary: fc.record({
      does: fc.constant('finish'),
      whom: fc.nat(99),
      outcome: fc.constantFrom(...outcomes),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ does: fc.constant('advance'), ms: fc.integer({ min: 1, max: 3_000 }) }),
  },
  { weight: 1, arbitrary: fc.record({ does: fc.constant('refresh') }) },
);

const anyWorld = fc.record({
  seed: fc.nat(1_000),
  sets: fc.array(
    fc.record({
      strategy: fc.constantFrom(...new LoadBalancerFactory().names),
      filter: fc.constantFrom(...filters),
    }),
    { minLength: 1, maxLength: 4, size: 'max' },
  ),
  options: fc.record({
    zone: fc.constantFrom('x', undefined),
    zoneAware: fc.boolean(),
    maxInFlight: fc.constantFrom(undefined, 1, 2),
    slowStart: fc.constantFrom(undefined, { windowMs: 2_000, requests: 3 }),
    subset: fc.constantFrom(undefined, undefined, { size: 3, client: 'me' }),
  }),
  commands: fc.array(anyCommand, { maxLength: 60, size: 'max' }),
});

type World = typeof anyWorld extends fc.Arbitrary<infer W> ? W : never;
type Command = World['commands'][number];

/** What a pool must do, from scratch each time; it drives a pool and compares. */
class Model {
  readonly #clock = new ManualClock();
  readonly #pool: EndpointPool;
  readonly #options: World['options'];
  readonly #sets: readonly { readonly set: EndpointSet; readonly sticks: boolean; readonly filter: Filter }[];
  readonly #instances = new Map<string, ServiceInstance>();
  readonly #met: Endpoint[] = [];
  readonly #underWay: Endpoint[] = [];
  readonly #ejections = new Map<Endpoint, { readonly until: number; readonly unreachable: boolean }>();
  readonly #slow = new Set<Endpoint>();
  /** Which endpoints a key was picked for, or had tried, while they took requests. */
  readonly #homes = new Map<string, Set<Endpoint>>();
  #before: readonly Endpoint[] = [];

  constructor({ seed, sets, options }: World) {
    this.#options = options;
    this.#pool = poolOf([], { ...this.#options, clock: this.#clock, rng: seededRng(seed) });
    this.#sets = sets.map(({ strategy, filter }) => {
      return { set: this.#pool.set(strategy, filter), sticks: strategy === 'sticky', filter };
    });
  }

  async run(command: Command): Promise<void> {
    switch (command.does) {
      case 'update':
        this.#update(command.given);
        break;
      case 'eject':
        this.#eject(this.#met[command.whom % this.#met.length], command.forMs, command.unreachable);
        break;
      case 'restore':
        this.#restore(this.#met[command.whom % this.#met.length]);
        break;
      case 'degrade':
        this.#degrade(this.#met[command.whom % this.#met.length], command.isSlow);
        break;
      case 'pick':
        this.#pick(command.set, command.key, command.tried);
        break;
      case 'finish':
        this.#finish(command.whom, command.outcome);
        break;
      case 'advance':
        await this.#advance(command.ms);
        break;
      case 'refresh':
        this.#pool.refresh();
        break;
    }
    this.#check();
  }

  end(): void {
    for (const endpoint of this.#underWay.splice(0)) this.#pool.finish(endpoint, 'ok', 1);
    this.#check();
    this.#pool.close();
    must(this.#clock.pendingTimers === 0, 'a timer is left');
  }

  #update(given: readonly Given[]): void {
    this.#before = this.#pool.endpoints;
    const snapshot = given.map((one) => this.#instanceOf(one));
    this.#pool.update(snapshot);
    const now = this.#pool.endpoints;
    const last = new Map(snapshot.map((one) => [one.id, one]));
    must(now.length === last.size, 'the pool has as many endpoints as the snapshot has ids');
    now.forEach((endpoint) => {
      must(endpoint.instance === last.get(endpoint.id), `${endpoint.id} is as last published`);
      const before = this.#before.find(({ id }) => id === endpoint.id);
      const stays = this.#hosts.get(endpoint.id) === endpoint.instance.host;
      must(
        before === undefined || (before === endpoint) === stays,
        `${endpoint.id} is the same while its host is`,
      );
      if (!this.#met.includes(endpoint)) this.#met.push(endpoint);
    });
    this.#hosts = new Map(now.map(({ id, instance: { host } }) => [id, host]));
    for (const gone of this.#ejections.keys()) if (!now.includes(gone)) this.#ejections.delete(gone);
  }

  #hosts = new Map<string, string>();

  /** The same object for the same data, as most of a snapshot is. */
  #instanceOf(given: Given): ServiceInstance {
    const key = JSON.stringify(given);
    const known = this.#instances.get(key) ?? instance(given.id ?? '', given);
    this.#instances.set(key, known);
    return known;
  }

  #eject(endpoint: Endpoint | undefined, forMs: number, unreachable: boolean): void {
    if (endpoint === undefined) return;
    this.#pool.eject(endpoint, forMs, { unreachable });
    if (!this.#pool.endpoints.includes(endpoint)) return;
    const before = this.#ejections.get(endpoint);
    this.#ejections.set(endpoint, {
      until: Math.max(before?.until ?? 0, this.#clock.monotonic() + forMs),
      unreachable: unreachable || before?.unreachable === true,
    });
  }

  #restore(endpoint: Endpoint | undefined): void {
    if (endpoint === undefined) return;
    this.#pool.restore(endpoint);
    this.#ejections.delete(endpoint);
  }

  #degrade(endpoint: Endpoint | undefined, isSlow: boolean): void {
    if (endpoint === undefined) return;
    this.#pool.degrade(endpoint, isSlow);
    if (isSlow) this.#slow.add(endpoint);
    else this.#slow.delete(endpoint);
  }

  /** One that is under way, or else one that is not: that must change nothing. */
  #finish(whom: number, outcome: Outcome): void {
    const [endpoint] = this.#underWay.splice(whom % (this.#underWay.length + 1), 1);
    if (endpoint !== undefined) this.#pool.finish(endpoint, outcome, whom);
    const idle = this.#met[whom % this.#met.length];
    if (idle !== undefined && !this.#underWay.includes(idle)) this.#pool.finish(idle, outcome, whom);
  }

  async #advance(ms: number): Promise<void> {
    await this.#clock.advance(ms);
    for (const [endpoint, { until }] of this.#ejections) {
      if (until <= this.#clock.monotonic()) this.#ejections.delete(endpoint);
    }
  }

  #pick(which: number, key: string | undefined, bits: number): void {
    const index = which % this.#sets.length;
    const { set, sticks, filter } = this.#sets[index] ?? fail('there is a set');
    const tried = this.#pool.endpoints.filter((_, place) => ((bits >>> place) & 1) === 1);
    const expected = new Expectation(this.#membersOf(filter), (endpoint) => this.#conditionOf(endpoint));
    const usable = expected.usable.filter((endpoint) => !this.#isFull(endpoint));
    const endpoint = set.pick({ key, tried });
    const explained = set.explainPick();
    expected.compare(set.explain());

    if (endpoint === undefined) {
      must(usable.length === 0, 'somebody is picked while there is somebody');
      return;
    }
    this.#underWay.push(endpoint);
    const homes = this.#homes.get(`${index} ${key}`) ?? new Set();
    this.#homes.set(`${index} ${key}`, homes);
    for (const one of [endpoint, ...tried]) if (takesRequests(one.instance.status)) homes.add(one);
    if (sticks && endpoint.instance.status === 'draining') {
      must(homes.has(endpoint) && !endpoint.ejected, 'a draining endpoint is for keys that it has already');
      must(!tried.includes(endpoint), 'a draining endpoint is not tried again');
      must(
        this.#inFlight(endpoint) <= (this.#options.maxInFlight ?? Infinity),
        `${endpoint.id} was not full`,
      );
      return;
    }
    must(usable.includes(endpoint), `${endpoint.id} is usable`);
    must(!endpoint.ejected || explained?.reason === 'panic', 'only in panic are ejected ones used');
    must(
      !tried.includes(endpoint) || usable.every((one) => tried.includes(one)),
      `${endpoint.id} was tried, and another was not`,
    );
    const isPlanned = explained?.reason !== 'fallback' && !expected.isSpare(endpoint);
    must(
      !isPlanned || this.#isFull(endpoint) || set.eligible.includes(endpoint),
      `${endpoint.id} is eligible`,
    );
  }

  /** Those that the layers leave of the ones that match. */
  #membersOf(filter: Filter): readonly Endpoint[] {
    const matching = this.#pool.endpoints.filter(({ instance: one }) => {
      if (filter === undefined) return true;
      return 'zone' in filter ? one.zone === filter.zone : filter.predicate(one);
    });
    const count = matching.some(({ instance: { weight, status } }) => weight > 0 && takesRequests(status));
    const weights = Float64Array.from(matching, ({ instance: { weight } }) => weight || (count ? 0 : 1));
    const { subset } = this.#options;
    if (subset !== undefined) new Subset(subset).apply(matching, weights);
    return matching.filter((_, place) => weights[place] !== 0);
  }

  #conditionOf(endpoint: Endpoint): Condition {
    const { status } = endpoint.instance;
    if (!takesRequests(status)) return status === 'unhealthy' ? 'unhealthy' : 'off';
    const ejection = this.#ejections.get(endpoint);
    if (ejection !== undefined) return ejection.unreachable ? 'unreachable' : 'ejected';
    if (this.#slow.has(endpoint)) return 'slow';
    return status === 'degraded' ? 'degraded' : 'healthy';
  }

  #isFull(endpoint: Endpoint): boolean {
    return this.#inFlight(endpoint) >= (this.#options.maxInFlight ?? Infinity);
  }

  #inFlight(endpoint: Endpoint): number {
    return this.#underWay.filter((other) => other === endpoint).length;
  }

  #check(): void {
    const living = this.#met.filter(
      (endpoint) => this.#underWay.includes(endpoint) || this.#pool.endpoints.includes(endpoint),
    );
    must(new Set(living.map(({ slot }) => slot)).size === living.length, 'slots are different');
    for (const endpoint of living) {
      must(
        endpoint.inFlight === this.#inFlight(endpoint),
        `${endpoint.id} has in flight what was not finished`,
      );
      must(endpoint.ejected === this.#ejections.has(endpoint), `${endpoint.id} is ejected as told`);
      must(endpoint.warmth > 0 && endpoint.warmth <= 1, 'warmth is a share');
    }
  }
}

/** What the endpoints of a set should come to. */
class Expectation {
  readonly #members: readonly Endpoint[];
  readonly #conditionOf: (endpoint: Endpoint) => Condition;
  readonly #loads: ReadonlyMap<number, LevelLoad>;

  constructor(members: readonly Endpoint[], conditionOf: (endpoint: Endpoint) => Condition) {
    this.#members = members;
    this.#conditionOf = conditionOf;
    const priorities = [...new Set(members.map(priorityOf))].sort((left, right) => left - right);
    const loads = priorityLoads(
      priorities.map((priority) => {
        const count = (condition: Condition): number => this.#count(condition, priority);
        const [healthy, degraded, slow] = [count('healthy'), count('degraded'), count('slow')];
        const [doubtful, unreachable] = [count('ejected'), count('unreachable')];
        const total = healthy + degraded + slow + doubtful + unreachable + count('unhealthy');
        return { total, healthy, degraded, slow, doubtful, unreachable };
      }),
      { overprovisioning: 1.4, panicThreshold: 0.5 },
    );
    this.#loads = new Map(priorities.map((priority, place) => [priority, loads[place] ?? noLoad]));
  }

  get usable(): readonly Endpoint[] {
    return this.#members.filter((endpoint) => {
      const { panic, lastResort } = this.#loadOf(endpoint);
      const condition = this.#conditionOf(endpoint);
      if (condition === 'ejected') return panic;
      if (condition === 'unreachable') return lastResort;
      return condition === 'healthy' || condition === 'degraded' || condition === 'slow';
    });
  }

  /** Of a priority in panic that gets no picks but those that nobody else can have. */
  isSpare(endpoint: Endpoint): boolean {
    const { healthy, degraded, panic } = this.#loadOf(endpoint);
    return panic && healthy + degraded === 0;
  }

  compare(explained: SetExplanation): void {
    for (const condition of ['healthy', 'ejected', 'unreachable', 'unhealthy', 'off'] as const) {
      must(explained[condition] === this.#count(condition), `as many are ${condition} as are explained`);
    }
    const degraded = this.#count('degraded') + this.#count('slow');
    must(explained.degraded === degraded, 'as many are degraded or slow as are explained');
    must(
      explained.matching - explained.leftOut === this.#members.length,
      'as many are members as are explained',
    );
    for (const [priority, load] of this.#loads) {
      const groups = explained.groups.filter((group) => group.priority === priority);
      const share = sum(groups.map((group) => group.share));
      const degradedShare = sum(groups.map((group) => group.degradedShare));
      must(
        groups.every(({ panic }) => panic === load.panic),
        `panic of priority ${priority}`,
      );
      must(near(share, load.healthy + (load.panic ? load.degraded : 0)), `share of priority ${priority}`);
      must(near(degradedShare, load.panic ? 0 : load.degraded), `degraded share of priority ${priority}`);
    }
  }

  #loadOf(endpoint: Endpoint): LevelLoad {
    return this.#loads.get(priorityOf(endpoint)) ?? noLoad;
  }

  #count(condition: Condition, priority?: number): number {
    return this.#members.filter(
      (endpoint) =>
        this.#conditionOf(endpoint) === condition &&
        (priority === undefined || priorityOf(endpoint) === priority),
    ).length;
  }
}

type Filter = (typeof filters)[number];
type Condition = 'healthy' | 'degraded' | 'slow' | 'ejected' | 'unreachable' | 'unhealthy' | 'off';

const noLoad: LevelLoad = { healthy: 0, degraded: 0, panic: false, lastResort: false };

const priorityOf = ({ instance: { priority } }: Endpoint): number => priority;
const near = (left: number, right: number): boolean => Math.abs(left - right) < 1e-9;
const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);

/** Cheaper than `expect`, which would take most of the time here. */
function must(holds: boolean, what: string): void {
  if (!holds) fail(what);
}

function fail(what: string): never {
  expect.fail(`not so: ${what}`);
}

describe('a pool', () => {
  it('keeps its word through any sequence of events', async () => {
    const property = fc.asyncProperty(anyWorld, async (world) => {
      const model = new Model(world);
      for (const command of world.commands) await model.run(command);
      model.end();
    });
    await fc.assert(property, {
      seed: Number(process.env.SEED ?? 20_260),
      numRuns: Number(process.env.RUNS ?? 400),
    });
  }, 30_000);
});
