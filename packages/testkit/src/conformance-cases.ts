import { closing } from './cases/closing.ts';
import { credentials } from './cases/credentials.ts';
import { crowds } from './cases/crowds.ts';
import { leases } from './cases/leases.ts';
import { network } from './cases/network.ts';
import { outages } from './cases/outages.ts';
import { pauses } from './cases/pauses.ts';
import { publishing } from './cases/publishing.ts';
import { revisions } from './cases/revisions.ts';
import { untrustedInput } from './cases/untrusted-input.ts';
import type { ConformanceCase } from './conformance-case.ts';

/** All cases, chapter by chapter, for those who run them without `describeBackend()`. */
export const conformanceCases: readonly ConformanceCase[] = [
  ...publishing,
  ...leases,
  ...crowds,
  ...outages,
  ...network,
  ...pauses,
  ...revisions,
  ...untrustedInput,
  ...credentials,
  ...closing,
];
