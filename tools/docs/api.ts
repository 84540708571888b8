import { join } from 'node:path';
import { Application, ReflectionKind } from 'typedoc';
import type { PluginOptions } from 'typedoc-plugin-markdown';
import { publishedPackages, root } from '../workspace.ts';
import { repository } from './site.ts';

// Writes the API reference of all packages as Markdown, a page for each, which VitePress then takes as its own.
const packages = publishedPackages();
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
  disableGit: true,
  sourceLinkTemplate: `${repository}/blob/main/packages/{path}#L{line}`, // paths begin where all packages are
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
  const ofModule = packages.find(({ folder }) => module.sources?.[0]?.fileName.startsWith(`${folder}/`));
  module.name = ofModule?.name ?? module.name;
}
await app.generateOutputs(project);
if (app.logger.hasErrors()) process.exit(1);
