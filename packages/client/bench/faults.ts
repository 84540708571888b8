import { breakOff, refuse, type Instance } from './instance.ts';

/** Puts an instance wrong; what it returns puts it right again. */
type Fault = (instance: Instance) => Promise<() => Promise<void>>;

export const faults = {
  dead: async (instance) => {
    await instance.die();
    return () => instance.listen();
  },

  '503': misbehaving((instance) => (instance.handle = refuse)),

  slow: misbehaving((instance) => (instance.durationOf = (workMs) => workMs + 300)),

  hang: misbehaving((instance) => (instance.handle = () => undefined)),

  reset: misbehaving((instance) => {
    instance.handle = (response) => instance.work(response, breakOff);
  }),

  /** Dead for a second, well for a second, and so on. */
  flapping: async (instance) => {
    let isDead = true;
    let turned = instance.die();
    const turn = (): Promise<void> => {
      isDead = !isDead;
      return isDead ? instance.die() : instance.listen();
    };
    const turns = setInterval(() => {
      turned = turned.then(turn);
    }, 1_000);
    await turned;
    return async () => {
      clearInterval(turns);
      await turned;
      if (isDead) await instance.listen();
    };
  },

  /** Everything takes eight times as long, so that an eighth of the load is too much. */
  'eight times slower': misbehaving((instance) => (instance.durationOf = (workMs) => 8 * workMs)),
} as const satisfies Record<string, Fault>;

export type FaultName = keyof typeof faults;

function misbehaving(begin: (instance: Instance) => unknown): Fault {
  return async (instance) => {
    begin(instance);
    return async () => instance.behaveWell();
  };
}
