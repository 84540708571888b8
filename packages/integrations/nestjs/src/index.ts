export { DiscoveryModule } from './discovery-module.ts';
export {
  getServiceClientToken,
  InjectDiscoveryClient,
  InjectServiceClient,
  InjectServiceRegistry,
} from './inject.ts';
export type {
  DiscoveryModuleAsyncOptions,
  DiscoveryModuleOptions,
  DiscoveryModuleScope,
  ServiceClientSpec,
} from './module-options.ts';
export { SdHealthIndicator, type SdHealthResult } from './sd-health-indicator.ts';
export { SdRuntime } from './sd-runtime.ts';
