export { ConsulBackend } from './consul-backend.ts';
export type { ConsulBackendOptions, ConsulCheck } from './consul-options.ts';
