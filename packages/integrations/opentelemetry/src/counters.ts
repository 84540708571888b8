import type { Meter } from '@opentelemetry/api';
import type {
  AttemptTrace,
  EndpointEvent,
  HedgeEvent,
  PickEvent,
  ReconnectEvent,
  RetryEvent,
} from '@sd/discovery';
import { attribute } from './attribute-names.ts';
import type { ServiceNames } from './service-names.ts';
import { Tally } from './tally.ts';

/** How often something happened. */
export class Counters {
  readonly #names: ServiceNames;
  readonly #attempts: Tally;
  readonly #picks: Tally;
  readonly #ejections: Tally;
  readonly #retries: Tally;
  readonly #hedges: Tally;
  readonly #reconnects: Tally;

  constructor(meter: Meter, names: ServiceNames) {
    this.#names = names;
    const { service, kind, outcome, strategy, reason, cause, granted } = attribute;
    this.#attempts = new Tally(meter, [service, kind, outcome], {
      name: 'sd.client.attempts',
      description: 'Attempts that have ended',
      unit: '{attempt}',
    });
    this.#picks = new Tally(meter, [service, strategy, reason], {
      name: 'sd.client.picks',
      description: 'Endpoints that were chosen, also for attempts that were not made then',
      unit: '{pick}',
    });
    this.#ejections = new Tally(meter, [service, cause], {
      name: 'sd.client.ejections',
      description: 'Endpoints that were taken out of rotation, or given less',
      unit: '{ejection}',
    });
    this.#retries = new Tally(meter, [service, granted], {
      name: 'sd.client.retries',
      description: 'Retries that the budget granted, or not',
      unit: '{retry}',
    });
    this.#hedges = new Tally(meter, [service, granted], {
      name: 'sd.client.hedges',
      description: 'Second attempts beside late ones that were granted, or not',
      unit: '{hedge}',
    });
    this.#reconnects = new Tally(meter, [service], {
      name: 'sd.client.watch.reconnects',
      description: 'Watches of the store that failed, and were begun again',
      unit: '{reconnect}',
    });
  }

  attempted({ service, kind, outcome = 'error' }: AttemptTrace): void {
    this.#attempts.increment(this.#names.of(service), kind, outcome);
  }

  picked({ service, strategy, endpoint, reason }: PickEvent): void {
    this.#picks.increment(this.#names.of(service), strategy, endpoint === undefined ? 'nobody' : reason);
  }

  ejected({ service, event }: EndpointEvent): void {
    if (event.type === 'eject') this.#ejections.increment(this.#names.of(service), event.reason);
    else if (event.type === 'degrade') this.#ejections.increment(this.#names.of(service), 'slow');
    else if (event.type === 'isolate') this.#ejections.increment(this.#names.of(service), 'operator');
  }

  retried({ service, isGranted }: RetryEvent): void {
    this.#retries.increment(this.#names.of(service), isGranted);
  }

  hedged({ service, isGranted }: HedgeEvent): void {
    this.#hedges.increment(this.#names.of(service), isGranted);
  }

  reconnected({ service }: ReconnectEvent): void {
    this.#reconnects.increment(this.#names.of(service));
  }

  close(): void {
    this.#attempts.close();
    this.#picks.close();
    this.#ejections.close();
    this.#retries.close();
    this.#hedges.close();
    this.#reconnects.close();
  }
}
