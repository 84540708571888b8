import { closing } from './cases/closing.ts';
import { leases } from './cases/leases.ts';
import { publishing } from './cases/publishing.ts';
import { untrustedInput } from './cases/untrusted-input.ts';
import type { ConformanceCase } from './conformance-case.ts';

/** All cases, chapter by chapter, for those who run them without `describeBackend()`. */
export const conformanceCases: readonly ConformanceCase[] = [
  ...publishing,
  ...leases,
  ...untrustedInput,
  ...closing,
];
