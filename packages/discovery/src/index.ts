export { CircuitOpenError } from '@sd/health';
export { outrun, type Attempt, type CallHandler, type OpenAttempt, type StopListener } from './attempt.ts';
export type { CallQueueOptions } from './call-queue.ts';
export type { CallRules } from './call-rules.ts';
export type { PendingCall } from './call.ts';
export { DiscoveryClient } from './discovery-client.ts';
export {
  AttemptTimeoutError,
  CallError,
  ConnectionError,
  DeadlineExceededError,
  NoHealthyInstanceError,
  OverloadedError,
  UnknownInstanceError,
  UnknownServiceError,
  type AttemptReport,
} from './errors.ts';
export {
  callOptionsSchema,
  type CallOptions,
  type DiscoveryClientOptions,
  type LookupOptions,
} from './options.ts';
export { classifyNetworkFailure, type Failure, type FailureClassifier } from './failure.ts';
export type { EndpointHealth } from './endpoint-health.ts';
export type { HedgingOptions } from './hedge-delay.ts';
export type { RetryBudgetOptions } from './retry-budget.ts';
export type { BreakerOptions } from './tracked-service.ts';
export type { ServiceStatus } from './service-status.ts';
export type { ServiceChange } from './service-change.ts';
export type { OpenOptions, ServiceEndpoints } from './service-endpoints.ts';
export {
  telemetry,
  type AttemptKind,
  type AttemptTrace,
  type BreakerEvent,
  type CallTrace,
  type EndpointEvent,
  type HedgeEvent,
  type PickEvent,
  type ReconnectEvent,
  type RetryEvent,
  type TelemetryChannel,
  type ViewEvent,
} from './telemetry.ts';
