import { originOf } from '@sd/client';
import { Agent, type Dispatcher } from 'undici';
import { checkDiscoverOptions, namingOf, type DiscoverOptions } from './options.ts';
import { RequestSettings } from './request-settings.ts';
import { ServiceDispatcher, type EndpointRoute } from './service-dispatcher.ts';

/**
 * An interceptor, for an `Agent` of your own: `agent.compose(discover({ discovery }))`. Requests to services go on to that
 * agent with the origin of an instance, so connections are made and closed as that agent does it.
 * @throws {ConfigValidationError} naming each wrong option
 */
export function discover(options: DiscoverOptions): Dispatcher.DispatcherComposeInterceptor {
  checkDiscoverOptions('discover', options);
  const nameOf = namingOf(options.services);
  const settings = new RequestSettings(options);
  return (dispatch) => {
    const route: EndpointRoute = {
      send: ({ instance }, request, body, headers, handler) =>
        void dispatch({ ...request, body, headers, origin: originOf(instance) }, handler),
      close: () => Promise.resolve(),
      destroy: () => Promise.resolve(),
    };
    // Its agent knows how to read handlers of both generations.
    const services = new Agent({
      factory: (origin) => {
        const url = new URL(origin);
        return new ServiceDispatcher({ service: nameOf(url) ?? url.hostname, url, settings, route });
      },
    });
    /** By origin, as it is given with each request. */
    const known = new Map<string, boolean>();
    const isService = (origin: string): boolean => {
      let is = known.get(origin);
      if (is === undefined) {
        is = URL.canParse(origin) && nameOf(new URL(origin)) !== undefined;
        if (known.size >= mostKnown) known.clear();
        known.set(origin, is);
      }
      return is;
    };
    return (request, handler) =>
      request.origin !== undefined && isService(String(request.origin))
        ? services.dispatch(request, handler)
        : dispatch(request, handler);
  };
}

/** Origins may come from strangers. */
const mostKnown = 1_000;
