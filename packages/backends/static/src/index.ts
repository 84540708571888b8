export { StaticBackend } from './static-backend.ts';
export type { StaticBackendOptions, StaticFileOptions, StaticServicesOptions } from './static-options.ts';
export type { StaticInstance, StaticServices } from './services.ts';
