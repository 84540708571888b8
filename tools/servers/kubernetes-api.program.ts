// node --import=tsx tools/servers/kubernetes-api.program.ts '{ "port": 8001 }'
import { KubernetesApi, type KubernetesApiOptions } from './kubernetes-api.ts';

const options = JSON.parse(process.argv[2] ?? '{}') as KubernetesApiOptions;
const api = await KubernetesApi.listen(options);
console.log(`Serves ${api.url}; tokens: ${[...api.tokens.keys()].join(', ')}`);

/** As real ones do, which wait for a minute until watches end by themselves. */
process.on('SIGTERM', () => {
  setTimeout(() => {
    api.endWatches();
    void api.close().then(() => process.exit());
  }, 60_000);
});
