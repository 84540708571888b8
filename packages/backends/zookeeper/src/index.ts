export type { CreatorAcl } from './acl.ts';
export type { InstanceCodec } from './codec.ts';
export type { Acl } from './protocol/requests.ts';
export { ZooKeeperBackend } from './zookeeper-backend.ts';
export type { ZooKeeperBackendOptions } from './zookeeper-options.ts';
