export type { BackendClient, BackendHarness, ReadOnlyHarness, RegistryHarness } from './backend-harness.ts';
export type { ConformanceCase } from './conformance-case.ts';
export { conformanceCases } from './conformance-cases.ts';
export { describeBackend, type DescribeBackendOptions } from './describe-backend.ts';
export { eventually, type EventuallyOptions } from './eventually.ts';
export { haltableClock, type HaltableClock } from './haltable-clock.ts';
export { realTime, virtualTime, type TestTime } from './test-time.ts';
export { WatchRecorder, type RecordedSnapshot } from './watch-recorder.ts';
