import type { InstanceStatus, ServiceInstance } from '@sd/core';
import { HealthState, type HealthWriter } from '@sd/health';
import type { Endpoint } from '@sd/load-balancers';

/** How an instance is, by all that this client knows. */
export interface EndpointHealth {
  readonly instance: ServiceInstance;
  /** The worst of the reasons. */
  readonly status: InstanceStatus;
  /**
   * Who says what: `registry` (as published), `active` (the client's own checks), `passive` (how its calls end) and
   * `operator` (isolated by hand); without those who say nothing.
   */
  readonly reasons: Readonly<Partial<Record<HealthWriter, InstanceStatus>>>;
  /** Attempts under way. */
  readonly inFlight: number;
}

export function healthOf({ instance, isolated, ejected, slow, checked, inFlight }: Endpoint): EndpointHealth {
  const state = new HealthState();
  state.report('registry', instance.status);
  state.report('active', checked === 'awaited' ? 'unknown' : checked);
  state.report('passive', ejected ? 'unhealthy' : slow ? 'degraded' : 'unknown');
  state.report('operator', isolated ? 'out-of-service' : 'unknown');
  return { instance, status: state.status, reasons: state.reasons, inFlight };
}
