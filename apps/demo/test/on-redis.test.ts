import { RedisServer } from '../../../tools/servers/index.ts';
import { testStoreOutage } from './store-outage.ts';

testStoreOutage('redis', 'redis', () => RedisServer.start());
