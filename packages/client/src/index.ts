export {
  AccessDeniedError,
  BackendUnavailableError,
  ClosedError,
  ConfigValidationError,
  DiscoveryError,
  LeaseLostError,
  resetLogger,
  setLogger,
  type DiscoveryBackend,
  type DiscoveryLogger,
  type InstanceStatus,
  type RegistryBackend,
  type ServiceFilter,
  type ServiceInstance,
  type ServiceView,
} from '@sd/core';
export {
  AttemptTimeoutError,
  CircuitOpenError,
  ConnectionError,
  DeadlineExceededError,
  DiscoveryClient,
  NoHealthyInstanceError,
  OverloadedError,
  telemetry,
  UnknownInstanceError,
  UnknownServiceError,
  type Attempt,
  type AttemptReport,
  type CallOptions,
  type DiscoveryClientOptions,
  type EndpointHealth,
  type LookupOptions,
  type ServiceChange,
} from '@sd/discovery';
export {
  ServiceRegistry,
  type DrainOptions,
  type InstanceChanges,
  type Registration,
  type RegistrationInit,
  type RegistrationState,
  type ServiceRegistryOptions,
} from '@sd/registry';
export {
  clientDefaultsSchema,
  type ServiceClientDefaults,
  type ServiceClientOptions,
  type TransportFactory,
} from './client-options.ts';
export { deadlineOf } from './deadline-header.ts';
export {
  HttpStatusError,
  ResponseBodyError,
  UnsupportedProtocolError,
  UnusableAddressError,
} from './errors.ts';
export { classifyHttpFailure, isServerFailure, mayBeRepeated } from './http-failure.ts';
export { originOf } from './http-request.ts';
export type { HttpTransport, TransportAnswer, TransportRequest } from './http-transport.ts';
export { isIdempotent, type RequestHeaders, type RequestOptions } from './request-options.ts';
export { ServiceClient } from './service-client.ts';
export { ServiceResponse, type PendingResponse, type StreamedResponse } from './service-response.ts';
