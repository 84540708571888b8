export type {
  BackendClient,
  BackendHarness,
  ClientOptions,
  Network,
  ReadOnlyHarness,
  RegistryHarness,
  RemoteClient,
  StoreAccess,
  StoreServer,
} from './backend-harness.ts';
export type { ConformanceCase } from './conformance-case.ts';
export { conformanceCases } from './conformance-cases.ts';
export { describeBackend, type DescribeBackendOptions } from './describe-backend.ts';
export { eventually, type EventuallyOptions } from './eventually.ts';
export { FaultProxy } from './fault-proxy.ts';
export type { FaultProxyOptions, FaultProxyTarget, Faults } from './fault-proxy-options.ts';
export { networkOf } from './proxied-network.ts';
export { haltableClock, type HaltableClock } from './haltable-clock.ts';
export { keepPublished } from './keep-published.ts';
export { silentLogger } from './silent-logger.ts';
export { realTime, virtualTime, type TestTime } from './test-time.ts';
export { WatchRecorder, type RecordedSnapshot } from './watch-recorder.ts';
export { ViewRecorder, type ViewRecorderOptions } from './view-recorder.ts';
