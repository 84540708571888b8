// A release without the world: publishes every package to a registry of its own, as the release does, installs each from
// there in an empty folder as its README says, and runs and type-checks the README's first lines against it. Also writes
// the bill of materials (.tmp/sbom.cdx.json) and asks for known vulnerabilities. Needs a build, and the network for what
// is not ours. Names of packages, such as @sd/redis, restrict it to these. Exits with 1 if anything failed.
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onProcessEnd } from '../servers/exit-cleanup.ts';
import { publishedPackages, root, type WorkspacePackage } from '../workspace.ts';
import { auditDependencies } from './audit.ts';
import { installEverything, writeBillOfMaterials } from './bill-of-materials.ts';
import { resolutions, typeErrors } from './consumer-types.ts';
import { Consumer } from './consumer.ts';
import { LocalRegistry } from './local-registry.ts';
import { publishAll } from './publish.ts';
import { besides, openStage } from './stages.ts';
import { step, total } from './steps.ts';
import { installToolbox, nodeVersions, type NodeVersion } from './toolbox.ts';

const only = process.argv.slice(2);
const packages = publishedPackages().filter(({ name }) => only.length === 0 || only.includes(name));
const parent = realpathSync(mkdtempSync(join(tmpdir(), 'sd-rehearsal-')));
onProcessEnd(() => rmSync(parent, { recursive: true, force: true }));
const before = workingTree();

await step('a registry and the versions of Node', installToolbox);
const nodes = nodeVersions();
const registry = await LocalRegistry.start();
try {
  if (await step('published', () => publishAll(registry))) {
    for (const each of packages) await rehearse(each);
    await checkEverything();
  }
} finally {
  await registry.stop();
}
await step('working tree as before', () => {
  if (workingTree() !== before) throw new Error(`It was\n${before}\nand is\n${workingTree()}`);
});
console.log(total());

async function rehearse(each: WorkspacePackage): Promise<void> {
  const consumer = await step(`${each.name}: installed`, () =>
    Consumer.install(each, {
      parent,
      env: registry.env,
      besides: ['@types/node@20', ...(besides[each.name] ?? [])],
    }),
  );
  if (consumer === undefined) return;
  const kinds = Object.keys(resolutions) as (keyof typeof resolutions)[];
  await step(`${each.name}: types, ${kinds.join(' and ')}, beside ${consumer.packages - 1} packages`, () => {
    const errors = kinds.flatMap((kind) => typeErrors(consumer, kind).map((text) => `${kind}: ${text}`));
    if (errors.length > 0) throw new Error(errors.join('\n'));
  });
  for (const node of nodes) {
    await step(`${each.name}: ten lines on Node ${node.version}`, () => runLines(each.name, consumer, node));
  }
  rmSync(consumer.folder, { recursive: true });
}

async function runLines(name: string, consumer: Consumer, { executable }: NodeVersion) {
  if (executable === undefined) return 'not run: npm has no such Node for this system';
  const stage = await openStage(name, consumer);
  if (typeof stage === 'string') return `not run: ${stage}`;
  try {
    await consumer.run(executable, stage);
  } finally {
    await stage.close();
  }
  return 'passed';
}

async function checkEverything(): Promise<void> {
  const folder = await step('all packages in one folder', () => installEverything(parent, registry.env));
  if (folder === undefined) return;
  await step('bill of materials, .tmp/sbom.cdx.json', () => {
    mkdirSync(join(root, '.tmp'), { recursive: true });
    writeBillOfMaterials(folder, join(root, '.tmp/sbom.cdx.json'));
  });
  await step('known vulnerabilities, high or critical', () => {
    const { outcome, text } = auditDependencies(folder);
    if (outcome === 'failed') throw new Error(text);
    return outcome === 'passed' ? outcome : `${outcome}: ${text}`;
  });
}

function workingTree(): string {
  const git = (...args: readonly string[]): string =>
    execFileSync('git', args, { cwd: root, encoding: 'utf8', maxBuffer: 2 ** 28 });
  return git('status', '--porcelain') + git('diff');
}
