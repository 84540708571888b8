export { DnsBackend } from './dns-backend.ts';
export type { DnsBackendOptions, DnsResolver, SrvAnswer } from './dns-options.ts';
