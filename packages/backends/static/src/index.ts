export { StaticBackend } from './static-backend.ts';
export type {
  StaticBackendOptions,
  StaticEnvOptions,
  StaticFileOptions,
  StaticFolderOptions,
  StaticServicesOptions,
} from './static-options.ts';
export { servicesFromEnv, type ServicesFromEnvOptions } from './services-env.ts';
export type { StaticInstance, StaticServices } from './services.ts';
