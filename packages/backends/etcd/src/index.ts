export { EtcdBackend } from './etcd-backend.ts';
export type { EtcdCodec, EtcdEntry } from './codec.ts';
export type { EtcdBackendOptions } from './etcd-options.ts';
export { kratosCodec } from './kratos-codec.ts';
