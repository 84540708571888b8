import type { FuzzTarget } from './target.ts';
import { addresses } from './targets/addresses.ts';
import { balancing } from './targets/balancing.ts';
import { consulAnswers } from './targets/consul-answers.ts';
import { dnsRecords } from './targets/dns-records.ts';
import { dnsReplies } from './targets/dns-replies.ts';
import { etcdEntries } from './targets/etcd-entries.ts';
import { etcdWatch } from './targets/etcd-watch.ts';
import { grpcHealth } from './targets/grpc-health.ts';
import { httpHeaders } from './targets/http-headers.ts';
import { instanceInit } from './targets/instance-init.ts';
import { instanceRecord } from './targets/instance-record.ts';
import { kubernetesLines } from './targets/kubernetes-lines.ts';
import { kubernetesSlices } from './targets/kubernetes-slices.ts';
import { kubernetesWatch } from './targets/kubernetes-watch.ts';
import { options } from './targets/options.ts';
import { redisRecords } from './targets/redis-records.ts';
import { redisReply } from './targets/redis-reply.ts';
import { serviceFilterTarget } from './targets/service-filter.ts';
import { serviceNamesTarget } from './targets/service-names.ts';
import { staticEnv } from './targets/static-env.ts';
import { staticFiles } from './targets/static-files.ts';
import { streams } from './targets/streams.ts';
import { wire } from './targets/wire.ts';
import { zookeeperAnswers } from './targets/zookeeper-answers.ts';
import { zookeeperFrames } from './targets/zookeeper-frames.ts';
import { zookeeperNodes } from './targets/zookeeper-nodes.ts';

/** Everything that reads what comes from outside. */
export const targets: readonly FuzzTarget[] = [
  instanceRecord,
  instanceInit,
  serviceNamesTarget,
  serviceFilterTarget,
  redisRecords,
  redisReply,
  consulAnswers,
  etcdEntries,
  etcdWatch,
  zookeeperFrames,
  zookeeperAnswers,
  zookeeperNodes,
  kubernetesLines,
  kubernetesSlices,
  kubernetesWatch,
  dnsReplies,
  dnsRecords,
  staticFiles,
  staticEnv,
  addresses,
  httpHeaders,
  grpcHealth,
  balancing,
  options,
  ...streams,
  wire,
];
