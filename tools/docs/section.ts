import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { format, resolveConfig } from 'prettier';
import { root } from '../workspace.ts';

/** The text of a Markdown file, formatted, with `content` between its comments `<!-- name -->` and `<!-- /name -->`. */
export async function withSection(file: string, name: string, content: string): Promise<string> {
  const path = join(root, file);
  const [start, end] = [`<!-- ${name} -->\n`, `<!-- /${name} -->`];
  const text = readFileSync(path, 'utf8');
  const [from, to] = [text.indexOf(start), text.indexOf(end)];
  if (from < 0 || to < from) throw new Error(`${file} has no place for it: ${start.trim()} … ${end}`);
  const next = `${text.slice(0, from)}${start}\n${content}\n\n${text.slice(to)}`;
  return format(next, { ...(await resolveConfig(path)), filepath: path });
}

export function markdownTable(rows: readonly (readonly string[])[], figures = false): string {
  const [head = [], ...others] = rows;
  const rule = head.map((_, column) => (figures && column > 0 ? '--:' : '---'));
  return [head, rule, ...others].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}
