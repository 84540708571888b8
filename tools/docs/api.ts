import { join } from 'node:path';
import { Application, ReflectionKind } from 'typedoc';
import type { PluginOptions } from 'typedoc-plugin-markdown';
import { publishedPackages, root, type WorkspacePackage } from '../workspace.ts';

// Writes the API reference of all packages as Markdown, a page for each, which VitePress then takes as its own.
// What several export is told of in the first, so those come first that others stand on.
const packages = publishedPackages().toSorted((one, other) => height(one) - height(other));
const markdown: Partial<PluginOptions> = {
  entryFileName: 'index',
  hideBreadcrumbs: true,
  hidePageHeader: true,
  parametersFormat: 'table',
  interfacePropertiesFormat: 'table',
  classPropertiesFormat: 'table',
  tableColumnSettings: { hideSources: true },
};
const app = await Application.bootstrapWithPlugins({
  entryPoints: packages.map(({ folder }) => join(root, folder, 'src/index.ts')),
  tsconfig: join(root, 'tsconfig.json'),
  basePath: root,
  name: 'API reference',
  readme: 'none',
  router: 'module',
  skipErrorChecking: true, // that is what `typecheck` is for
  disableSources: true,
  excludeInternal: true,
  excludeExternals: true,
  logLevel: 'Error',
  plugin: ['typedoc-plugin-markdown'],
  outputs: [{ name: 'markdown', path: join(root, 'docs/api') }],
  ...markdown,
});
const project = await app.convert();
if (project === undefined) throw new Error('typedoc could not read the packages');
for (const module of project.getChildrenByKind(ReflectionKind.Module)) {
  const source = packages.find(({ folder }) => module.name === `${folder}/src`);
  if (source === undefined) throw new Error(`${module.name} is no package`);
  module.name = source.name;
}
await app.generateOutputs(project);
if (app.logger.hasErrors()) process.exit(1);

function height({ manifest }: WorkspacePackage): number {
  const names = Object.keys({ ...manifest.dependencies, ...manifest.peerDependencies });
  const below = publishedPackages().filter(({ name }) => names.includes(name));
  return 1 + Math.max(0, ...below.map(height));
}
