import { maxRecordLength, parseInstance, type ParsedRecord } from '@sd/core';
import type { EtcdCodec, EtcdEntry } from './codec.ts';

/**
 * What go-zero publishes: `<service>/<lease>`, with `host:port` as the value. It can only be read: their ids are those of
 * leases, and one lease serves a process of ours.
 */
export const goZeroCodec: EtcdCodec = { name: 'go-zero', prefix: '', parse };

function parse({ service, id, value }: EtcdEntry): ParsedRecord {
  const [, bracketed, plain, port] =
    value.length > maxRecordLength ? [] : (/^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(value) ?? []);
  const host = bracketed ?? plain;
  if (host === undefined) return { problem: 'the value is not host:port' };
  return parseInstance({ service, id, host, port: Number(port), protocol: 'grpc' }, { service, id });
}
