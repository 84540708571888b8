export { discover } from './discover.ts';
export { DiscoveryAgent, type DiscoveryAgentOptions } from './discovery-agent.ts';
export { InsecureInstanceError } from './errors.ts';
export type { DiscoverOptions, ServiceNaming } from './options.ts';
export { undiciTransport, type UndiciTransportOptions } from './undici-transport.ts';
