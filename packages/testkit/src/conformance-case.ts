import type { BackendHarness } from './backend-harness.ts';
import type { Capability } from './capability.ts';
import { Scene } from './scene.ts';

/** One sentence that holds for every backend that it applies to. */
export interface ConformanceCase {
  /** Of the fault that it belongs to; several cases may share one. */
  readonly number: number;
  readonly title: string;
  /** The capability without which the case is skipped. */
  readonly needs: string;
  applies(harness: BackendHarness): boolean;
  /** @throws what does not hold */
  run(harness: BackendHarness): Promise<void>;
}

export function conformanceCase<H extends BackendHarness>(
  number: number,
  title: string,
  needs: Capability<H>,
  run: (scene: Scene<H>) => Promise<void>,
): ConformanceCase {
  return {
    number,
    title,
    needs: needs.name,
    applies: (harness) => needs.isIn(harness),
    async run(harness) {
      if (!needs.isIn(harness)) throw new TypeError(`Case ${number} needs ${needs.name}.`);
      const scene = new Scene(harness);
      try {
        await run(scene);
      } finally {
        await scene.close();
      }
    },
  };
}
