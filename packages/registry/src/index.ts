export type { DrainOptions } from './drain.ts';
export { detectHost, type NetworkInterfaces } from './host.ts';
export { leftOpen, type ListeningServer } from './listening-server.ts';
export {
  checkProvidedService,
  type InstanceChanges,
  type ProvidedService,
  type RegistrationDefaults,
  type RegistrationFields,
  type RegistrationInit,
} from './registration-init.ts';
export type { RegistrationState } from './registration-state.ts';
export type { Registration } from './registration.ts';
export type { ReportedHealth } from './reported-health.ts';
export type { ServiceRegistryOptions } from './registry-options.ts';
export { ServiceRegistry } from './service-registry.ts';
