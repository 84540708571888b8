/** Where a check looks; a `ServiceInstance` is one. */
export interface CheckTarget {
  /** Host name, IPv4 or IPv6 address without brackets. */
  readonly host: string;
  readonly port: number;
  /** URL scheme without `:`. Default: `http`. */
  readonly protocol?: string | undefined;
}

/** What one look found. */
export interface CheckResult {
  readonly status: 'healthy' | 'degraded' | 'unhealthy';
  /** For people: what was found, at most 200 characters, without secrets. */
  readonly detail: string;
  /** Nobody could be asked: the connection never opened. Told apart, as nothing else can be said of the target. */
  readonly unreachable?: boolean | undefined;
}

/**
 * One way to find out how a target is. Look at it with `HealthChecker`, which bounds its time; a check of your own
 * is an object with these two.
 */
export interface HealthCheck {
  /** For people, e.g. `http /health`. */
  readonly name: string;
  /** What it throws counts as unhealthy, with the error's message as detail. */
  check(target: CheckTarget, options: { readonly signal: AbortSignal }): Promise<CheckResult>;
}
