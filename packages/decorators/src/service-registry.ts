import { ConfigValidationError } from '@sd/core';
import { checkProvidedService, type ProvidedService } from '@sd/registry';
import { isStandardContext, misplaced } from './placement.ts';
import { lineageOf } from './lineage.ts';

/**
 * Registers instances of the class that `DiscoveryApp.start()` makes, and of classes that extend it and say nothing else.
 * @throws {ConfigValidationError} a wrong field, a wrong place, or a class that has one already
 */
export function ServiceRegistry(
  provided: ProvidedService,
): (Class: abstract new (...args: never[]) => object, context?: ClassDecoratorContext) => void {
  checkProvidedService('@ServiceRegistry', provided);
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

function twice(className: string, { service }: ProvidedService): ConfigValidationError {
  const received = `decorated twice, first as service "${service}"`;
  const expected = 'one @ServiceRegistry; a class of its own for each service';
  return new ConfigValidationError('@ServiceRegistry', [{ field: className, received, expected }], {
    service,
  });
}
