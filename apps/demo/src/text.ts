export type Style = 'bold' | 'dim' | 'red' | 'green' | 'yellow' | 'cyan';

export interface Span {
  readonly text: string;
  readonly style?: Style | undefined;
}

/** A line of the terminal. Each character takes one column. */
export type Line = readonly Span[];

export function widthOf(line: Line): number {
  return line.reduce((width, { text }) => width + text.length, 0);
}

/** The line without what does not fit. */
export function fit(line: Line, columns: number): Line {
  let left = columns;
  return line.map(({ text, style }) => {
    const part = text.slice(0, Math.max(0, left));
    left -= part.length;
    return { text: part, style };
  });
}

export function paint(line: Line, { colour }: { readonly colour: boolean }): string {
  if (!colour)
    return line
      .map(({ text }) => text)
      .join('')
      .trimEnd();
  return line
    .map(({ text, style }) => (style === undefined ? text : `\x1b[${codes[style]}m${text}\x1b[0m`))
    .join('');
}

const codes: Readonly<Record<Style, number>> = { bold: 1, dim: 2, red: 31, green: 32, yellow: 33, cyan: 36 };
