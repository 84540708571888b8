import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';
import type { Consumer } from './consumer.ts';

const common = {
  target: ts.ScriptTarget.ES2022,
  strict: true,
  noEmit: true,
  types: ['node'],
  exactOptionalPropertyTypes: true,
  moduleDetection: ts.ModuleDetectionKind.Force,
};

/** How users resolve modules. Of both, types must be found and be right. */
export const resolutions = {
  node16: { module: ts.ModuleKind.Node16, moduleResolution: ts.ModuleResolutionKind.Node16 },
  bundler: { module: ts.ModuleKind.ESNext, moduleResolution: ts.ModuleResolutionKind.Bundler },
} as const;

/** What TypeScript has to say of the ten lines, and of the declarations of ours that they use. */
export function typeErrors(
  { folder, block }: Consumer,
  resolution: keyof typeof resolutions,
): readonly string[] {
  const file = join(folder, 'ten-lines.ts');
  writeFileSync(file, block.code);
  const typeRoots = [join(folder, 'node_modules/@types')];
  const program = ts.createProgram([file], { ...common, ...resolutions[resolution], typeRoots });
  const ours = program
    .getSourceFiles()
    .filter(({ fileName }) => fileName === file || fileName.includes('/node_modules/@sd/'));
  return [
    ...program.getOptionsDiagnostics(),
    ...program.getGlobalDiagnostics(),
    ...ours.flatMap((source) => ts.getPreEmitDiagnostics(program, source)),
  ].map(({ file: source, start = 0, messageText }) => {
    const line = source === undefined ? '' : String(source.getLineAndCharacterOfPosition(start).line + 1);
    const where = source === undefined ? '' : `${source.fileName.slice(folder.length + 1)}:${line} `;
    return `${where}${ts.flattenDiagnosticMessageText(messageText, '\n')}`;
  });
}
