import type { Scenario } from '../scenario.ts';
import { slowServer } from './s1-slow-server.ts';
import { unequalServers } from './s2-unequal-servers.ts';
import { blackHole } from './s3-black-hole.ts';
import { coldStart } from './s4-cold-start.ts';
import { zones } from './s5-zones.ts';
import { keyedChurn } from './s6-keyed-churn.ts';
import { retryStorm } from './s7-retry-storm.ts';
import { instancesGo, registryForgets } from './s8-registry-forgets.ts';

export const scenarios: readonly Scenario[] = [
  slowServer,
  unequalServers,
  blackHole,
  coldStart,
  zones,
  keyedChurn,
  retryStorm,
  registryForgets,
  instancesGo,
];
