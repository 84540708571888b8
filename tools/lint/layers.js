/**
 * The arrows between packages: a layer imports those above it, and `core` always.
 * A project says which layer it is with its tag `layer:…` in project.json.
 */
const layers = [
  'core',
  'load-balancers',
  'health',
  'registry',
  'discovery',
  'client',
  'backend',
  'decorators',
  'integration',
  'edge', // gateway, xds, cli
  'testkit',
  'app',
  'tools',
];

/** A backend stands on `core` alone, so that it can be written knowing nothing else. */
const narrower = { backend: ['core'] };

export const boundaries = {
  depConstraints: layers.map((layer, index) => ({
    sourceTag: `layer:${layer}`,
    onlyDependOnLibsWithTags: (narrower[layer] ?? layers.slice(0, index)).map((above) => `layer:${above}`),
  })),
  // Tests point upwards to these two, which the project graph takes for a circle.
  // Layers alone keep sources free of circles.
  ignoredCircularDependencies: [
    ['tag:layer:backend', '!tag:layer:backend'],
    ['tag:layer:testkit', '!tag:layer:testkit'],
  ],
  checkDynamicDependenciesExceptions: ['.*'],
};

/** What tests and benchmarks may import besides. Servers are started by tests alone, so they are no package. */
export const testBoundaries = {
  ...boundaries,
  allow: ['^@sd/(memory|testkit)$', '/tools/(bench|servers)/'],
};

/** What is measured is each package as it is published, and not its sources. */
export const benchBoundaries = { ...testBoundaries, allowCircularSelfDependency: true };

/** Fuzz targets read what no package shows: what stands between the bytes from outside and its public face. */
export const fuzzBoundaries = { ...boundaries, allow: ['/packages/'] };
