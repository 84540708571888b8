export { KubernetesBackend } from './kubernetes-backend.ts';
export type { KubernetesAccessOptions, KubernetesBackendOptions } from './kubernetes-options.ts';
