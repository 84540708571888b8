import { experimental } from '@grpc/grpc-js';
import type { Registration } from './registrations.ts';

/** What the resolver of a channel tells its policy beside addresses, as an attribute of the resolution. */
export class ChannelTarget {
  /** grpc-js keeps attributes of this prefix out of what decides whether two channels may share a connection. */
  static readonly attribute = `${experimental.SUBCHANNEL_ARGS_EXCLUDE_KEY_PREFIX}.sd.target`;
  readonly registration: Registration;
  readonly service: string;

  constructor(registration: Registration, service: string) {
    this.registration = registration;
    this.service = service;
  }
}
