import type { ApiClient, ApiRequest } from './api-client.ts';
import { fields, parseFields, parseSlice, serviceLabel, type EndpointSlice } from './endpoint-slice.ts';
import { ExpiredError, unavailable } from './kubernetes-errors.ts';

/** What is listed and watched. */
export interface SliceScope {
  /** Undefined for all. */
  readonly namespace: string | undefined;
  /** Of one service alone. */
  readonly service?: string | undefined;
  readonly labelSelector?: string | undefined;
}

export interface SliceList {
  /** The revision at which all of it was so. */
  readonly version: string;
  readonly slices: readonly EndpointSlice[];
}

/** So many slices on a page, as client-go has it. */
const pageSize = 500;
/** A list that takes longer than the server remembers is begun anew; after so many times it is given up. */
const mostAttempts = 3;

/** All slices now, as the store has them and not a cache of it. */
export async function listSlices(api: ApiClient, scope: SliceScope, signal: AbortSignal): Promise<SliceList> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await listPages(api, scope, signal);
    } catch (error) {
      if (!(error instanceof ExpiredError) || attempt === mostAttempts) throw error;
    }
  }
}

/** The newest revision of the store, and one slice, so that it is known again. */
export async function sampleSlices(
  api: ApiClient,
  scope: SliceScope,
  signal: AbortSignal,
): Promise<SliceList> {
  return listPage(api, scope, signal, { limit: '1' });
}

/** For the query of a list or a watch. */
export function selector({ service, labelSelector }: SliceScope): string {
  const own = service === undefined ? serviceLabel : `${serviceLabel}=${service}`;
  return labelSelector === undefined ? own : `${own},${labelSelector}`;
}

async function listPages(api: ApiClient, scope: SliceScope, signal: AbortSignal): Promise<SliceList> {
  const first = await listPage(api, scope, signal, { limit: String(pageSize) });
  const slices = [...first.slices];
  for (let next = first.next; next !== '';) {
    const page = await listPage(api, scope, signal, { limit: String(pageSize), continue: next });
    slices.push(...page.slices);
    next = page.next;
  }
  return { version: first.version, slices };
}

async function listPage(
  api: ApiClient,
  scope: SliceScope,
  signal: AbortSignal,
  parameters: Readonly<Record<string, string>>,
) {
  const { namespace, service } = scope;
  const request: ApiRequest = {
    verb: 'list',
    namespace,
    service,
    parameters: { labelSelector: selector(scope), ...parameters },
    signal,
  };
  const { metadata, items } = parseFields(await api.get(request));
  const { resourceVersion: version, continue: next } = fields(metadata);
  // What such a list continues with would be anything.
  if (!Array.isArray(items) || typeof version !== 'string' || version === '' || version === '0')
    throw unavailable('the API server answered with something else than a list', { service });
  return {
    version,
    next: typeof next === 'string' ? next : '',
    slices: items.map(parseSlice).filter((slice) => slice !== undefined),
  };
}
