export {
  ClosedError,
  ConfigValidationError,
  DiscoveryError,
  resetLogger,
  setLogger,
  type DiscoveryLogger,
  type ServiceFilter,
  type ServiceInstance,
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
  type DiscoveryClientOptions,
} from '@sd/discovery';
export { ServiceRegistry, type Registration, type ServiceRegistryOptions } from '@sd/registry';
export { clientDefaultsSchema } from './client-options.ts';
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
export { ServiceClient, type ServiceClientDefaults, type ServiceClientOptions } from './service-client.ts';
export { ServiceResponse, type PendingResponse, type StreamedResponse } from './service-response.ts';
