import { EtcdServer } from '../../../tools/servers/index.ts';
import { testStoreOutage } from './store-outage.ts';

testStoreOutage('etcd', 'etcd', () => EtcdServer.start());
