// Prints whether the Kubernetes client was loaded for a lookup with these options.
import { createRequire } from 'node:module';
import { KubernetesBackend, type KubernetesBackendOptions } from '../src/index.ts';

const [options = '{}'] = process.argv.slice(2);
await using backend = new KubernetesBackend(JSON.parse(options) as KubernetesBackendOptions);
await backend.getInstances('web');
// Modules of ES are listed nowhere, but some that the client imports are of the older kind.
const loaded = Object.keys(createRequire(import.meta.url).cache);
console.log(loaded.some((file) => /node_modules.(ws|node-fetch|hpagent)\b/.test(file)));
