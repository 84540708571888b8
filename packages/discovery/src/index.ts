export type { Attempt, CallOptions } from './call.ts';
export { DiscoveryClient, type DiscoveryClientOptions, type LookupOptions } from './discovery-client.ts';
export {
  AttemptTimeoutError,
  CallError,
  ConnectionError,
  DeadlineExceededError,
  NoHealthyInstanceError,
  OverloadedError,
  UnknownServiceError,
  type AttemptReport,
} from './errors.ts';
export { callOptionsSchema } from './options.ts';
export { classifyNetworkFailure, type Failure, type FailureClassifier } from './failure.ts';
export type { RetryBudgetOptions } from './retry-budget.ts';
export type { ServiceChange } from './service-change.ts';
