import { describe, it } from 'vitest';
import type { BackendHarness } from './backend-harness.ts';
import { conformanceCases } from './conformance-cases.ts';

/**
 * Declares the conformance suite for a backend: a `describe` with an `it` for each case.
 * @param createHarness called for each case. Let cases share a server that is slow to start, and give each a namespace.
 */
export function describeBackend(
  name: string,
  createHarness: () => Promise<BackendHarness>,
  { timeoutMs = 30_000 }: DescribeBackendOptions = {},
): void {
  describe(`${name} keeps the contract of a backend`, () => {
    for (const conformanceCase of conformanceCases) {
      it(`${conformanceCase.number}: ${conformanceCase.title}`, { timeout: timeoutMs }, async ({ skip }) => {
        const harness = await createHarness();
        try {
          if (!conformanceCase.applies(harness)) skip(`needs ${conformanceCase.needs}`);
          await conformanceCase.run(harness);
        } finally {
          await harness.dispose();
        }
      });
    }
  });
}

export interface DescribeBackendOptions {
  /** For each case, in milliseconds. Default: 30,000. */
  readonly timeoutMs?: number | undefined;
}
