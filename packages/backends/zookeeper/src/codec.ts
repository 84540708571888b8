import { encodeInstance, parseInstance, type ParsedRecord, type ServiceInstance } from '@sd/core';

/** How an instance is written into its node. */
export interface InstanceCodec {
  encode(instance: ServiceInstance): string;
  /** What is no instance has a `problem`, and is skipped and reported. @param place what the path says already */
  decode(text: string, place: { readonly service: string; readonly id: string }): ParsedRecord;
}

/** The instance as JSON, all fields by their names. */
export const sdCodec: InstanceCodec = { encode: encodeInstance, decode: parseInstance };
