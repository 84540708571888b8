import { ConfigValidationError, createInstance, validate } from '@sd/core';
import type { RegistrationFields } from '@sd/registry';
import * as v from 'valibot';
import { isStandardContext, misplaced } from './placement.ts';
import { lineageOf } from './lineage.ts';

/** What is published of a class: as with `ServiceRegistry.register()`, but its server is found when it starts. */
export interface ProvidedService extends RegistrationFields {
  /** Where others reach the server, if not on the port it listens on; must be said if there is no server. */
  readonly port?: number | undefined;
}

/**
 * Registers instances of the class that `DiscoveryApp.start()` makes, and of classes that extend it and say nothing else.
 * @throws {ConfigValidationError} a wrong field, a wrong place, or a class that has one already
 */
export function ServiceRegistry(
  provided: ProvidedService,
): (Class: abstract new (...args: never[]) => object, context?: ClassDecoratorContext) => void {
  check(provided);
  return (...[Class, place, detail]: readonly unknown[]) => {
    const isClass = isStandardContext(place) ? place.kind === 'class' : place === undefined;
    if (typeof Class !== 'function' || !isClass) {
      throw misplaced('@ServiceRegistry', 'a class', [Class, place, detail]);
    }
    const earlier = services.get(Class);
    if (earlier !== undefined) throw twice(Class.name, earlier);
    services.set(Class, provided);
  };
}

const services = new WeakMap<object, ProvidedService>();

/** What the class, or else the nearest of its base classes, is registered as. */
export function serviceOf(Class: object): ProvidedService | undefined {
  const decorated = lineageOf(Class).find((each) => services.has(each));
  return decorated && services.get(decorated);
}

/** A wrong field is better reported where it stands than when the class is started. */
function check(provided: ProvidedService): void {
  validate('@ServiceRegistry', v.looseObject({}, 'an object with service'), provided);
  try {
    createInstance({ ...provided, host: provided.host ?? 'localhost', port: provided.port ?? 1 }, 0);
  } catch (error) {
    if (!(error instanceof ConfigValidationError)) throw error;
    const { field, received, expected } = error;
    throw new ConfigValidationError('@ServiceRegistry', [{ field, received, expected }]);
  }
}

function twice(className: string, { service }: ProvidedService): ConfigValidationError {
  const received = `decorated twice, first as service "${service}"`;
  const expected = 'one @ServiceRegistry; a class of its own for each service';
  return new ConfigValidationError('@ServiceRegistry', [{ field: className, received, expected }], {
    service,
  });
}
