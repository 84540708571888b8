export { abortable } from './abortable.ts';
export {
  isBackend,
  type BackendReadOptions,
  type DiscoveryBackend,
  type Lease,
  type RegisterOptions,
  type RegistryBackend,
} from './backend.ts';
export { Backoff, type BackoffOptions } from './backoff.ts';
export { sleep, systemClock, type Clock, type Timer } from './clock.ts';
export { durationOption } from './duration-option.ts';
export {
  AccessDeniedError,
  BackendUnavailableError,
  ClosedError,
  DiscoveryError,
  LeaseLostError,
  type ErrorContext,
  type LeaseLossReason,
} from './errors.ts';
export { follow, type Following } from './follow.ts';
export { followOptions, type FollowOptions } from './follow-options.ts';
export { encodeInstance, maxRecordLength, parseInstance, type ParsedRecord } from './instance-record.ts';
export { instanceStatuses, rankedStatuses, takesRequests, type InstanceStatus } from './instance-status.ts';
export { HeldLease, type LeaseLoss, type Placement } from './held-lease.ts';
export { Latest } from './latest.ts';
export {
  globalLogger,
  resetLogger,
  setLogger,
  unfailing,
  type DiscoveryLogger,
  type LogDetails,
} from './logger.ts';
export { MalformedEntries, type MalformedEntry, type MalformedReport } from './malformed-entries.ts';
export { ManualClock } from './manual-clock.ts';
export { onAbort } from './on-abort.ts';
export { Registrations, type RegistrationsOptions } from './registrations.ts';
export { seededRng, systemRng, type Rng } from './rng.ts';
export {
  applyServiceFilter,
  compileServiceFilter,
  type InstancePredicate,
  type ServiceFilter,
} from './service-filter.ts';
export {
  addressOf,
  createInstance,
  isServiceName,
  sameInstance,
  validateServiceName,
  type ServiceInstance,
  type ServiceInstanceInit,
} from './service-instance.ts';
export type { ServiceView } from './service-view.ts';
export { SharedWatches, type WatchFeed } from './shared-watches.ts';
export type { ShrinkGuardOptions } from './shrink-guard.ts';
export { SlotList } from './slot-list.ts';
export { TimeLimit } from './time-limit.ts';
export { tlsOptions, type TlsOptions } from './tls-options.ts';
export {
  ConfigValidationError,
  describeValue,
  unknownOptions,
  validate,
  type ConfigIssue,
} from './validation.ts';
