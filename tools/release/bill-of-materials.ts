import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { publishedPackages } from '../workspace.ts';
import { npm } from './npm.ts';
import { productionDependencies, readLock } from './production-dependencies.ts';

/** What is used of CycloneDX. */
interface Bom {
  readonly bomFormat?: string;
  readonly specVersion?: string;
  readonly components?: readonly Component[];
  readonly dependencies?: readonly { readonly ref: string; readonly dependsOn?: readonly string[] }[];
}

interface Component {
  readonly 'bom-ref': string;
  readonly name: string;
  readonly version?: string;
  readonly purl?: string;
}

/**
 * All our packages in one folder, with what comes with them and without peers. `npm sbom` and `npm audit` are asked there:
 * in the workspace they leave out what a package of ours needs when the root has it among its devDependencies too.
 */
export function installEverything(parent: string, env: Readonly<Record<string, string>>): string {
  const folder = join(parent, 'sd'); // its name is that of the bill
  mkdirSync(folder);
  const [{ version } = { version: '0.0.0' }] = publishedPackages().map(({ manifest }) => manifest);
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ name: 'sd', version, private: true }));
  // The bill would name the registry of the rehearsal otherwise.
  writeFileSync(join(folder, '.npmrc'), 'omit-lockfile-registry-resolved=true\n');
  const names = publishedPackages().map(({ name }) => name);
  npm(['install', '--legacy-peer-deps', '--ignore-scripts', '--loglevel=error', ...names], {
    cwd: folder,
    env,
  });
  return folder;
}

/** Writes the CycloneDX document of what `installEverything` has installed. @throws what is wrong with it */
export function writeBillOfMaterials(folder: string, file: string): number {
  const text = npm(['sbom', '--legacy-peer-deps', '--sbom-format=cyclonedx', '--omit=dev'], { cwd: folder });
  const bom = JSON.parse(text) as Bom;
  const problems = bomProblems(bom, expectedComponents());
  if (problems.length > 0) throw new Error(problems.join('\n'));
  writeFileSync(file, text);
  return bom.components?.length ?? 0;
}

/** A minimal validation: it is CycloneDX, it names everything, and nothing that it refers to is missing. */
export function bomProblems(bom: Bom, expected: readonly string[]): readonly string[] {
  const { bomFormat = 'unknown', specVersion = 'unknown', components = [], dependencies = [] } = bom;
  const refs = new Set(components.map((component) => component['bom-ref']));
  const named = new Set(components.map(({ name }) => name));
  return [
    ...(bomFormat === 'CycloneDX' && /^1\.[5-9]/.test(specVersion)
      ? []
      : [`It is ${bomFormat} ${specVersion}, not CycloneDX 1.5 or newer`]),
    ...components
      .filter(({ version, purl }) => version === undefined || purl?.startsWith('pkg:npm/') !== true)
      .map(({ name }) => `${name} has no version or no purl`),
    ...dependencies
      .flatMap(({ dependsOn = [] }) => dependsOn)
      .filter((ref) => !refs.has(ref))
      .map((ref) => `${ref} is depended on, and no component`),
    ...expected.filter((name) => !named.has(name)).map((name) => `${name} is missing`),
  ];
}

/** Ours, and what package-lock.json says of the rest; versions may be newer in an empty folder. */
function expectedComponents(): readonly string[] {
  const lock = readLock();
  return publishedPackages().flatMap(({ name, folder }) => [
    name,
    ...productionDependencies(folder, lock).map((dependency) => dependency.name),
  ]);
}
