export type { ProvidedService } from '@sd/registry';
export { DiscoveryApp, type DiscoveryAppOptions, type StartedService } from './discovery-app.ts';
export { NotInjectedError } from './errors.ts';
export { InjectDiscoveryClient, InjectServiceClient } from './inject.ts';
export type { Injection } from './injection.ts';
export type { OwnArguments } from './own-arguments.ts';
export type { Provider } from './provider.ts';
export { ServiceRegistry } from './service-registry.ts';
