import {
  addressOf,
  createInstance,
  encodeInstance,
  maxRecordLength,
  parseInstance,
  sameInstance,
  type ServiceInstance,
  type ServiceInstanceInit,
} from '@sd/core';
import { metaOf, readMeta } from '../../../packages/backends/consul/src/meta.ts';
import { codecs } from '../../../packages/backends/etcd/src/codec.ts';
import { curatorCodec } from '../../../packages/backends/zookeeper/src/curator-codec.ts';
import { areInstances, holds, parseJson, typed } from '../oracle.ts';
import { revive } from '../revive.ts';
import type { FuzzTarget } from '../target.ts';

/** What a provider says of itself: refused with all that is wrong with it, or written and read by every codec as it is. */
export const instanceInit: FuzzTarget = {
  name: 'instance-init',
  format: 'json',
  seeds: [
    '{"service":"orders","host":"10.0.0.1","port":8080}',
    '{"service":"Orders_2.x-y","id":"a@b:c","host":"fe80::1%eth0","port":1,"protocol":"grpcs","version":"1.2.3-rc.1","region":"eu","zone":"eu-1","weight":0.25,"priority":7,"tags":["a","b c"],"metadata":{"shard":"3","weight":"5","sd-id":"x","instance_status":"UP","é":"😀"},"status":"draining","registeredAt":1,"updatedAt":2}',
    '{"service":"orders","host":"localhost","port":80,"weight":0,"metadata":{"long":"$long","sd-more-0":"{"}}',
    '{"service":"orders","host":"a.b","port":80,"status":"$undefined","tags":["$symbol"],"metadata":{"a":"$nan"}}',
  ],
  words: [
    'healthy',
    'unhealthy',
    '$long',
    'sd-weight',
    'sd-tags',
    'sd-status',
    'instance_status',
    'weight',
    '::1',
    'metadata',
  ],
  run(input) {
    const init = revive(parseJson(input), new Map([['$long', () => 'ä'.repeat(900)]]));
    // It comes from a user without types.
    const instance = typed(() => createInstance(init as ServiceInstanceInit, 5));
    if (instance === undefined) return;
    areInstances([instance], instance.service);
    holds(
      new URL(`http://${addressOf(instance).replace(/%[^\]]*/, '')}`).port !== '-1',
      'no address for a URL',
    );
    if (JSON.stringify(instance).length > maxRecordLength) return;
    isReadAgain(instance, parseInstance(encodeInstance(instance), instance).instance);
    const curator = typed(() => curatorCodec.encode(instance));
    if (curator !== undefined) isReadAgain(instance, curatorCodec.decode(curator, instance).instance);
    const { sd, kratos } = codecs;
    isReadAgain(instance, sd.parse({ ...instance, value: sd.encode?.(instance) ?? '' }).instance);
    const { instance: ofKratos } = kratos.parse({ ...instance, value: kratos.encode?.(instance) ?? '' });
    holds(
      ofKratos?.host === instance.host && ofKratos.port === instance.port,
      'Kratos reads another address',
    );
    const meta = typed(() => metaOf(instance));
    if (meta === undefined) return;
    const { fields, metadata } = readMeta(meta);
    const { service, host, port, tags, weight } = instance;
    isReadAgain(instance, createInstance({ service, host, port, tags, weight, ...fields, metadata }, 5));
  },
};

function isReadAgain(written: ServiceInstance, read: ServiceInstance | undefined): void {
  holds(read !== undefined, 'what was written cannot be read');
  holds(sameInstance(written, read), 'what was read is not what was written');
}
