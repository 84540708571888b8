import { LoadBalancerFactory } from '@sd/load-balancers';
import { EnvoyLeastRequest } from './envoy-least-request.ts';
import { FinaglePeakEwma } from './finagle-peak-ewma.ts';
import { FullLeastRequest } from './full-least-request.ts';
import { GoZeroP2c } from './go-zero-p2c.ts';
import { Prequal } from './prequal.ts';
import type { ProbedServer } from './probed-server.ts';

/** Names of the algorithms of others, as `withRivals` registers them. */
export const rival = {
  finagle: 'peak EWMA (Finagle)',
  goZero: 'P2C EWMA (go-zero)',
  fullScan: 'least request, full scan (Envoy)',
  twoChoices: 'least request, P2C (Envoy)',
  /** Only where there are servers to probe. */
  prequal: 'Prequal, with probes',
} as const;

/**
 * A factory with the strategies of the package, and those of others beside them.
 * @param servers by id, for those that ask servers
 */
export function withRivals(servers?: ReadonlyMap<string, ProbedServer>): LoadBalancerFactory {
  const factory = new LoadBalancerFactory()
    .register(rival.finagle, (context) => new FinaglePeakEwma(context))
    .register(rival.goZero, (context) => new GoZeroP2c(context))
    .register(rival.fullScan, (context) => new FullLeastRequest(context))
    .register(rival.twoChoices, (context) => new EnvoyLeastRequest(context));
  if (servers === undefined) return factory;
  return factory.register(
    rival.prequal,
    ({ clock, rng }) => new Prequal({ clock, rng, probe: ({ id }) => servers.get(id)?.probe() }),
  );
}
