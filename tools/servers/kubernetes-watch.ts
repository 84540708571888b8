import type { StoredSlice } from './kubernetes-objects.ts';
import type { KubernetesResponse } from './kubernetes-response.ts';
import { parseLabelSelector, type LabelPredicate } from './kubernetes-selector.ts';
import type { KubernetesStore, StoreChange } from './kubernetes-store.ts';

export interface KubernetesWatchOptions {
  readonly store: KubernetesStore;
  readonly namespace: string | undefined;
  readonly query: URLSearchParams;
  /** Undefined: begins with all that there is. */
  readonly from: number | undefined;
  readonly bookmarkMs: number;
}

type EventType = 'ADDED' | 'MODIFIED' | 'DELETED';

/** A watch that a client has open. */
export class KubernetesWatch {
  readonly #stream: KubernetesResponse;
  readonly #options: KubernetesWatchOptions;
  readonly #matches: LabelPredicate;
  readonly #timers: NodeJS.Timeout[] = [];

  constructor(stream: KubernetesResponse, options: KubernetesWatchOptions) {
    this.#stream = stream;
    this.#options = options;
    this.#matches = parseLabelSelector(options.query.get('labelSelector') ?? '');
    stream.onClose(() => this.#timers.forEach(clearTimeout));
  }

  begin(): void {
    const { store, query, from, bookmarkMs } = this.#options;
    if (from === undefined) {
      for (const [key, slice] of store.entries()) if (this.#concerns(key, slice)) this.#write('ADDED', slice);
      if (query.get('sendInitialEvents') === 'true') this.#bookmark({ 'k8s.io/initial-events-end': 'true' });
    } else for (const change of store.since(from)) this.#pass(change);
    this.#stream.flush();
    const timeoutMs = 1_000 * Number(query.get('timeoutSeconds') ?? 1_800 + Math.random() * 1_800);
    this.#after(timeoutMs, () => this.end());
    if (query.get('allowWatchBookmarks') !== 'true') return;
    const bookmark = (): void => {
      if (!this.#stream.isOpen) return;
      this.#bookmark();
      this.#stream.flush();
    };
    this.#timers.push(setInterval(bookmark, bookmarkMs).unref());
    this.#after(timeoutMs - 2_000, bookmark);
  }

  onChange(change: StoreChange): void {
    // What it was told to begin after is no news, also when it has not been reached yet.
    if (change.revision <= (this.#options.from ?? 0) || !this.#stream.isOpen) return;
    this.#pass(change);
    this.#stream.flush();
  }

  send(text: string): void {
    if (!this.#stream.isOpen) return;
    this.#stream.write(text);
    this.#stream.flush();
  }

  end(): void {
    if (this.#stream.isOpen) this.#stream.end();
  }

  cut(line?: string): void {
    this.#stream.cut(line);
  }

  #after(delayMs: number, act: () => void): void {
    if (delayMs > 0) this.#timers.push(setTimeout(act, delayMs).unref());
  }

  /** An object that comes to match is added, and one that no longer does is deleted. */
  #pass({ key, before, after, revision }: StoreChange): void {
    const wasThere = before !== undefined && this.#concerns(key, before);
    const isThere = after !== undefined && this.#concerns(key, after);
    if (isThere) this.#write(wasThere ? 'MODIFIED' : 'ADDED', after);
    else if (wasThere)
      this.#write('DELETED', {
        ...before,
        metadata: { ...before.metadata, resourceVersion: String(revision) },
      });
  }

  #concerns(key: string, { metadata }: StoredSlice): boolean {
    const { namespace } = this.#options;
    return (
      (namespace === undefined || key.startsWith(`${namespace}/`)) && this.#matches(metadata.labels ?? {})
    );
  }

  #write(type: EventType, slice: StoredSlice): void {
    this.#stream.write(eventLine(type, slice));
  }

  #bookmark(annotations?: Readonly<Record<string, string>>): void {
    const metadata = {
      resourceVersion: String(this.#options.store.revision),
      ...(annotations ? { annotations } : {}),
    };
    this.#stream.write(eventLine('BOOKMARK', { metadata, addressType: '', endpoints: null, ports: null }));
  }
}

export function eventLine(type: EventType | 'BOOKMARK', object: object): string {
  const whole = { kind: 'EndpointSlice', apiVersion: 'discovery.k8s.io/v1', ...object };
  return `${JSON.stringify({ type, object: whole })}\n`;
}

/** It comes with status 200. */
export function errorLine(code: number, reason: string, message: string): string {
  const object = { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Failure', message, reason, code };
  return `${JSON.stringify({ type: 'ERROR', object })}\n`;
}
