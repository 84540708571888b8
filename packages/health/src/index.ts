export { AdvancedHealthChecker, type AdvancedHealthCheckerOptions } from './advanced-health-checker.ts';
export { allOf, anyOf, optional } from './check-composition.ts';
export { commandCheck, type CommandCheckOptions } from './checks/command-check.ts';
export { functionCheck, type CheckAnswer } from './checks/function-check.ts';
export { grpcCheck, type GrpcCheckOptions } from './checks/grpc-check.ts';
export type { HttpCheckOptions, StatusRange } from './checks/http-check-options.ts';
export { httpCheck } from './checks/http-check.ts';
export { tcpCheck, type TcpCheckOptions } from './checks/tcp-check.ts';
export type { TlsOptions } from './checks/tls-options.ts';
export { TtlCheck, type TtlCheckOptions } from './checks/ttl-check.ts';
export { circuitBreakerOptionsSchema, type CircuitBreakerOptions } from './circuit-breaker-options.ts';
export { CircuitBreaker, type CircuitEntry, type CircuitState } from './circuit-breaker.ts';
export { CircuitOpenError } from './circuit-open-error.ts';
export type { DetectedPool } from './detected-pool.ts';
export type { CheckResult, CheckTarget, HealthCheck } from './health-check.ts';
export { HealthChecker, type HealthCheckerOptions, type HealthReport } from './health-checker.ts';
export {
  healthEndpoints,
  type FastifyLike,
  type HealthEndpoints,
  type HealthEndpointsOptions,
  type HealthHandler,
  type ReplyLike,
  type RequestLike,
  type ResponseLike,
} from './health-endpoints.ts';
export type { HealthTarget } from './health-publisher.ts';
export { HealthState, type HealthWriter } from './health-state.ts';
export type { HealthSource } from './health-verdict.ts';
export { LatencyHistogram } from './latency-histogram.ts';
export { OutlierDetector, type OutlierDetectorOptions } from './outlier-detector.ts';
export type { EjectionCause, EjectionReason, EndpointState, OutlierEvent } from './outlier-event.ts';
export { noOutlierRules, outlierOptionsSchema, type OutlierOptions } from './outlier-options.ts';
export type { CheckFunction, OwnCheckInit, OwnCheckState, OwnHealth } from './own-check.ts';
export { SelfCheck, type SelfCheckOptions } from './self-check.ts';
export { serviceHealth, type ServiceHealth, type ServiceHealthOptions } from './service-health.ts';
export type { HealthListener, TargetHealth } from './watched-target.ts';
