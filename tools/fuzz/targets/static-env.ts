import { StaticBackend, type StaticBackendOptions } from '@sd/static';
import { areInstances, field, holds, parseJson, typed } from '../oracle.ts';
import { revive } from '../revive.ts';
import type { FuzzTarget } from '../target.ts';

/** Services of code and of the environment: served, or refused with the place of each mistake. */
export const staticEnv: FuzzTarget = {
  name: 'static-env',
  format: 'json',
  seeds: [
    '{"env":{"ORDERS_URLS":"http://10.0.0.1:80,http://10.0.0.2:80","USER_PROFILE_URLS":"https://a b","X":"$undefined"}}',
    '{"env":{"A_URLS":"http://u:p@h","a_URLS":"http://h","__PROTO___URLS":"http://h:1","_URLS":"x"},"suffix":"_URLS"}',
    '{"services":{"orders":["http://10.0.0.1:80",{"host":"b","port":81,"service":"orders"}],"users":[]}}',
    '{"services":{"constructor":["ftp://x"],"orders":[null,1,"$symbol",{"host":"$nan"}]}}',
  ],
  words: [
    'services',
    'env',
    'suffix',
    'file',
    'folder',
    'orders',
    '_URLS',
    'http://',
    ',',
    '@',
    'host',
    'port',
    'service',
  ],
  async run(input) {
    const options = revive(parseJson(input));
    // A file would be read from the disk of whoever runs this.
    if (['file', 'folder'].some((name) => field(options, name) !== undefined)) return;
    // It comes from a user without types.
    const backend = typed(() => new StaticBackend(options as StaticBackendOptions));
    if (backend === undefined) return;
    for (const service of await backend.listServices()) {
      const instances = await backend.getInstances(service);
      areInstances(instances, service);
      holds(instances.length > 0, 'a service that has nobody is listed');
    }
    await backend.close();
  },
};
