import { fields, parseFields, parseSlice, type EndpointSlice } from './endpoint-slice.ts';

/** A line of a watch. */
export type WatchEvent =
  | { readonly type: 'put'; readonly slice: EndpointSlice; readonly version: string }
  /** `key`: of the slice that is gone. */
  | { readonly type: 'delete'; readonly key: string; readonly version: string }
  | { readonly type: 'bookmark'; readonly version: string }
  | { readonly type: 'error'; readonly code: number; readonly message: string }
  | { readonly type: 'unreadable' };

export function readEvent(line: string): WatchEvent {
  const { type, object } = parseFields(line);
  const { metadata, code, message } = fields(object);
  const { namespace, name, resourceVersion } = fields(metadata);
  const version = typeof resourceVersion === 'string' ? resourceVersion : '';
  switch (type) {
    case 'ADDED':
    case 'MODIFIED': {
      const slice = parseSlice(object);
      return slice === undefined ? { type: 'unreadable' } : { type: 'put', slice, version };
    }
    case 'DELETED':
      if (typeof namespace !== 'string' || typeof name !== 'string') return { type: 'unreadable' };
      return { type: 'delete', key: `${namespace}/${name}`, version };
    case 'BOOKMARK':
      return { type: 'bookmark', version };
    case 'ERROR':
      return {
        type: 'error',
        code: typeof code === 'number' ? code : 0,
        message: typeof message === 'string' ? message.slice(0, 1_000) : 'it does not say which',
      };
    default:
      return { type: 'unreadable' };
  }
}
