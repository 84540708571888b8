import {
  DiscoveryError,
  ManualClock,
  type DiscoveryBackend,
  type Lease,
  type RegistryBackend,
} from '@sd/core';
import { getEventListeners } from 'node:events';
import { holds, typedLater } from '../oracle.ts';
import type { FuzzTarget } from '../target.ts';
import { planOf, truth } from './plan.ts';
import { Player } from './player.ts';
import { readRecording } from './recording.ts';
import { canRegister, instanceOf, serviceName, stateOf, ttl, type Store } from './store.ts';
import { strayErrors } from './stray-errors.ts';

/**
 * What a real server once said, cut, shuffled and changed: what comes of it is the same snapshots where only cuts are
 * others, and else a typed error at most; the truth on a new connection makes all well again, and nothing stays behind.
 */
export function streamTarget(store: Store): FuzzTarget {
  const recording = readRecording(store.name);
  return {
    name: `${store.name}-stream`,
    format: 'json',
    seeds: [
      '[["cut",0],["register"]]',
      '[["cut",6],["cut",0],["cut",40]]',
      '[["break",5,20],["cut",12],["reset"]]',
      '[["twice",3],["drop",6],["swap",4,7]]',
      '[["register"],["byte",6,3,255],["put",9,10,4,"\\r\\n"]]',
    ],
    words: [
      'cut',
      'break',
      'reset',
      'twice',
      'drop',
      'swap',
      'byte',
      'put',
      'register',
      ...(store.words ?? []),
    ],
    testRuns: 10,
    async run(input) {
      const plan = planOf(input, recording);
      const strays = strayErrors();
      const memory = memoryNow();
      const player = await Player.start(recording, store.dialect);
      const clock = new ManualClock();
      const backend = store.open(player.port, clock);
      const other = store.open(player.port, clock);
      const { traffic } = player;
      try {
        player.play(plan);
        const changed = new Watch(backend);
        await traffic.quiet();
        const registers = canRegister(backend) && (plan.registers || store.hasOneHistory !== true);
        const registration = registers ? registrationIn(backend) : undefined;
        await player.playOut();
        await changed.lives(player, clock, plan.isTrue ? recording.states.at(-1) : undefined);
        if (plan.isTrue) {
          changed.shows(recording.states.at(-1));
          holds(player.unknown.size === 0, `nobody has recorded ${[...player.unknown].join()}`);
          holds(isPart(changed.states, recording.states), `other snapshots: ${changed.states.join('\n')}`);
          holds(registration?.lease?.lost.aborted !== true, 'the registration is lost');
        }
        await player.hangUp();
        for (let waitedMs = 0; !changed.isOver && waitedMs < patienceMs; waitedMs += 1_000) {
          await clock.advance(1_000);
          await traffic.quiet();
        }
        holds(changed.isOver, 'a watch goes on that has lost its store');
        holds(memoryNow() - memory < mostMemory, 'memory without bounds');

        player.play(truth);
        await clock.advance(1_000); // who was turned away waits so long
        await traffic.quiet(); // registrations come first, and by themselves
        const watch = new Watch(registers && store.hasOneHistory === true ? other : backend);
        await watch.lives(player, clock, recording.states.at(-1));
        watch.shows(recording.states.at(-1));
        watch.end();
        await traffic.quiet();
      } finally {
        const closing = Promise.all([backend.close(), other.close()]);
        const closed = closing.then(() => true);
        const running = (): Promise<boolean> =>
          Promise.race([closed, Promise.resolve(false)]).then((is) => !is);
        for (let waitedMs = 0; (await running()) && waitedMs < patienceMs; waitedMs += 1_000) {
          await traffic.quiet();
          await clock.advance(1_000);
        }
        await player.gone();
        await player.close();
        strays.end();
      }
      holds(clock.pendingTimers === 0, `${clock.pendingTimers} timers are left`);
    },
  };
}

/** Of a clock that is moved by hand, in milliseconds. */
const patienceMs = 60_000;

const stepMs = 500;
/** More than a third of the ttl, and less than a server may be silent. */
const fewSteps = 5;
const mostSteps = 10 * fewSteps;

/** Of an input of some kilobytes. */
const mostMemory = 64 * 1024 * 1024;

function memoryNow(): number {
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

/** Whether these come one after the other among all; in between some may be missing. */
function isPart(some: readonly string[], all: readonly string[]): boolean {
  let at = 0;
  return some.every((each) => {
    at = all.indexOf(each, at);
    return at !== -1;
  });
}

/** A watch, and all that came of it. */
class Watch {
  readonly states: string[] = [];
  readonly #over = new AbortController();
  #isOver = false;
  #error: unknown;

  constructor(backend: DiscoveryBackend) {
    void this.#watch(backend);
  }

  /** It has thrown what users are promised, and not just ended. */
  get isOver(): boolean {
    if (!this.#isOver) return false;
    const error = this.#error;
    if (error instanceof DiscoveryError) return true;
    throw error instanceof Error ? error : new Error(`the watch has ended with ${String(error)}`);
  }

  /** Some seconds of a clock that is moved by hand: for renewals, pauses and polls, and longer until a state is shown. */
  async lives(player: Player, clock: ManualClock, state: string | undefined): Promise<void> {
    for (let step = 0; step < (this.#isAt(state) ? fewSteps : mostSteps); step += 1) {
      await player.playOut();
      await clock.advance(stepMs);
      // Some of what Node does is done elsewhere.
      if (step >= fewSteps) await new Promise((resolve) => setTimeout(resolve, 1));
    }
    await player.playOut();
  }

  shows(state: string | undefined): void {
    if (this.#isOver) throw new Error('the watch of what is true has ended', { cause: this.#error });
    holds(this.#isAt(state), `there is "${state}", and what is known is "${this.states.at(-1)}"`);
  }

  #isAt(state: string | undefined): boolean {
    return state === undefined || this.states.at(-1) === state;
  }

  end(): void {
    this.#over.abort();
    holds(getEventListeners(this.#over.signal, 'abort').length === 0, 'a listener is left');
  }

  async #watch(backend: DiscoveryBackend): Promise<void> {
    try {
      for await (const instances of backend.watch(serviceName, { signal: this.#over.signal }))
        this.states.push(stateOf(instances));
    } catch (error) {
      this.#error = error;
    }
    this.#isOver = true;
  }
}

/** One's own instance, which is registered as it was when it was recorded. */
function registrationIn(backend: RegistryBackend) {
  let lease: Lease | undefined;
  const done = typedLater(async () => {
    lease = await backend.register(instanceOf('own'), { ttl });
  });
  return {
    get lease() {
      return lease;
    },
    done,
  };
}
