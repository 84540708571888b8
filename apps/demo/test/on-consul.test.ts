import { ConsulServer } from '../../../tools/servers/index.ts';
import { testStoreOutage } from './store-outage.ts';

testStoreOutage('consul', 'consul', () => ConsulServer.start());
