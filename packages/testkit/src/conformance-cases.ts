import { publishing } from './cases/publishing.ts';
import type { ConformanceCase } from './conformance-case.ts';

/** All cases, chapter by chapter, for those who run them without `describeBackend()`. */
export const conformanceCases: readonly ConformanceCase[] = [...publishing];
