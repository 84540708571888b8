import type { TestServer } from '../servers/index.ts';
import type { ChaosStore } from './chaos-store.ts';

/** Several servers that form one. */
export interface Group extends TestServer {
  /** Resolves when those that live serve together. */
  waitUntilOk(): Promise<void>;
  /** Kills all, and makes others of them that know nothing and serve at the same addresses. */
  formAnew?(): Promise<void>;
}

/**
 * Of the group only the one that leads is killed or frozen, and the others go on; to lose the data all of them are.
 * It serves again when they agree once more: who was taken for dead may come back amid the election of another.
 */
export function inGroup(
  group: Group,
  leaderNow: () => Promise<TestServer>,
  traits: Pick<ChaosStore, 'addresses' | 'placeAt' | 'badEntries' | 'sentinels'>,
): ChaosStore {
  let leader: TestServer | undefined;
  return {
    ...traits,
    async kill() {
      leader = await leaderNow();
      await leader.kill();
    },
    async start({ keepData, formAnew = false }) {
      if (formAnew) return group.formAnew?.();
      if (!keepData) {
        await group.kill();
        return group.start({ keepData });
      }
      await leader?.start();
      await group.waitUntilOk();
    },
    async freeze() {
      leader = await leaderNow();
      leader.freeze();
    },
    async thaw() {
      leader?.thaw();
      await group.waitUntilOk();
    },
    [Symbol.asyncDispose]: () => group.stop(),
  };
}
