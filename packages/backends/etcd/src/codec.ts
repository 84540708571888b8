import { encodeInstance, parseInstance, type ParsedRecord, type ServiceInstance } from '@sd/core';
import { goZeroCodec } from './go-zero-codec.ts';
import { kratosCodec } from './kratos-codec.ts';

/** One key of a service. */
export interface EtcdEntry {
  readonly service: string;
  /** What follows `<prefix><service>/` in its key. */
  readonly id: string;
  readonly value: string;
}

/** How instances stand in etcd: one at each key `<prefix><service>/<id>`. */
export interface EtcdCodec {
  /** For messages: `kratos`. */
  readonly name: string;
  /** Begins each key, unless the option `prefix` says otherwise. */
  readonly prefix: string;
  /** From anybody; what it throws at is malformed. `parseInstance()` of `@sd/core` checks what it is made into. */
  parse(entry: EtcdEntry): ParsedRecord;
  /** Without it, nothing can be registered. */
  readonly encode?: ((instance: ServiceInstance) => string) | undefined;
}

export const codecNames = ['sd', 'kratos', 'go-zero'] as const;
export type CodecName = (typeof codecNames)[number];

export const codecs: Readonly<Record<CodecName, EtcdCodec>> = {
  sd: {
    name: 'sd',
    prefix: '/sd/',
    parse: ({ service, id, value }) => parseInstance(value, { service, id }),
    encode: encodeInstance,
  },
  kratos: kratosCodec(),
  'go-zero': goZeroCodec,
};
