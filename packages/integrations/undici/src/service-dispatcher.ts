import { SlotList } from '@sd/core';
import type { Attempt } from '@sd/discovery';
import { Dispatcher, errors } from 'undici';
import type { RequestHandler } from './request-handler.ts';
import type { RequestSettings } from './request-settings.ts';
import { ServiceRequest } from './service-request.ts';

export type Body = NonNullable<Dispatcher.DispatchOptions['body']> | null;
export type Headers = NonNullable<Dispatcher.DispatchOptions['headers']> | null;

/** How requests get to an endpoint. */
export interface EndpointRoute {
  /** Where it is told that connections come and go. */
  tell?(events: Dispatcher): void;
  /** @param body what stands in the place of the caller's own, as do `headers` */
  send(
    endpoint: Attempt['endpoint'],
    request: Dispatcher.DispatchOptions,
    body: Body,
    headers: Headers,
    handler: Dispatcher.DispatchHandler,
  ): void;
  /** When no request is under way. */
  close(): Promise<void>;
  destroy(error: Error | null): Promise<void>;
}

export interface ServiceDispatcherOptions {
  readonly service: string;
  /** Of the requests, with the service as host. */
  readonly url: URL;
  readonly settings: RequestSettings;
  readonly route: EndpointRoute;
}

/** What an `Agent` has for the origin of a service, as it has a `Pool` for that of a host. */
export class ServiceDispatcher extends Dispatcher {
  readonly service: string;
  readonly isSecure: boolean;
  readonly settings: RequestSettings;
  readonly route: EndpointRoute;
  closed = false;
  destroyed = false;
  readonly #url: URL;
  readonly #requests = new SlotList<ServiceRequest>();
  #onIdle: (() => void) | undefined;

  constructor({ service, url, settings, route }: ServiceDispatcherOptions) {
    super();
    this.service = service;
    this.isSecure = url.protocol === 'https:';
    this.settings = settings;
    this.route = route;
    this.#url = url;
    route.tell?.(this);
  }

  /** Hot path. */
  override dispatch(options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): boolean {
    const heard: RequestHandler = handler;
    if (this.closed) {
      heard.onError?.(new errors.ClientClosedError());
      return false;
    }
    const request = new ServiceRequest(this, options, heard);
    request.start(this.#requests.add(request));
    return true; // each endpoint has a queue of its own
  }

  /** Hot path. */
  ended(slot: number): void {
    this.#requests.remove(slot);
    if (this.#onIdle !== undefined && this.#requests.size === 0) this.#onIdle();
  }

  /** Nobody knows the service: its agent does not keep what it made for it. */
  isUnknown(error: Error): void {
    if (!this.closed) {
      this.emit('connectionError', this.#url, [this], new errors.InformationalError(error.message));
    }
  }

  override close(): Promise<void>;
  override close(callback: () => void): void;
  override close(callback?: () => void): Promise<void> | undefined {
    this.closed = true;
    const closed = this.#idle().then(() => this.route.close());
    return ending(closed, callback);
  }

  override destroy(error?: Error | null): Promise<void>;
  override destroy(error: Error | null, callback: () => void): void;
  override destroy(callback: () => void): void;
  override destroy(
    error: Error | null | (() => void) = null,
    callback?: () => void,
  ): Promise<void> | undefined {
    const reason = typeof error === 'function' ? null : error;
    this.closed = true;
    this.destroyed = true;
    for (const request of this.#requests) request.abort(reason ?? new errors.ClientDestroyedError());
    return ending(this.route.destroy(reason), typeof error === 'function' ? error : callback);
  }

  #idle(): Promise<void> {
    if (this.#requests.size === 0) return Promise.resolve();
    return new Promise((resolve) => (this.#onIdle = resolve));
  }
}

function ending(ended: Promise<void>, callback: (() => void) | undefined): Promise<void> | undefined {
  if (callback === undefined) return ended;
  ended.then(callback, callback);
  return undefined;
}
