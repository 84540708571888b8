import { ZooKeeperServer } from '../../../tools/servers/index.ts';
import { testStoreOutage } from './store-outage.ts';

testStoreOutage('zookeeper', 'zk', () => ZooKeeperServer.start());
