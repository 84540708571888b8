export interface BenchProgram {
  /** From the root of the repository. */
  readonly file: string;
  readonly parts: readonly string[];
}

const of = (folder: string, ...parts: readonly string[]): BenchProgram => ({
  file: `${folder}/bench/index.ts`,
  parts,
});
const stores = ['redis', 'consul', 'etcd', 'zookeeper'].map((name) => `packages/backends/${name}`);
const ofEachStore = (part: string): readonly BenchProgram[] => stores.map((folder) => of(folder, part));

/** What is measured, in this order. */
export const subjects: Readonly<Record<string, readonly BenchProgram[]>> = {
  pick: [of('packages/load-balancers')],
  calls: [
    of('packages/client', 'overhead'),
    of('packages/integrations/undici'),
    of('packages/integrations/grpc'),
    of('packages/integrations/opentelemetry'),
  ],
  faults: [
    of(
      'packages/client',
      ...['dead', '503', 'hang', 'reset', 'slow', 'flapping', 'brownout-503', 'brownout-slow'],
    ),
  ],
  operations: [...ofEachStore('operations'), of('packages/backends/redis', 'lookups')],
  propagation: [...ofEachStore('propagation'), of('packages/backends/kubernetes', 'propagation')],
  crowds: [...ofEachStore('crowds'), of('packages/backends/kubernetes', 'imports', 'scale')],
  scale: [{ file: 'tools/bench/scale/index.ts', parts: [] }],
  recovery: [...ofEachStore('recovery'), of('packages/backends/kubernetes', 'recovery')],
  simulation: [{ file: 'tools/sim/main.ts', parts: [] }],
};
