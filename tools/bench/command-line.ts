// What each benchmark takes: `--quick` makes it short, to see that it works; `--only a,b` runs these parts, which may also
// be given as words; `--no-peers` runs ours alone.
const args = process.argv.slice(2);
const { 1: afterOnly } = args.slice(args.indexOf('--only'));

export const hasFlag = (name: string): boolean => args.includes(`--${name}`);

export const isQuick = hasFlag('quick');

/** Empty: all. */
export const chosenParts: readonly string[] = [
  ...(hasFlag('only') ? (afterOnly?.split(',') ?? []) : []),
  ...args.filter((arg, place) => !arg.startsWith('--') && args[place - 1]?.startsWith('--') !== true),
];

/** Runs those parts of a benchmark that are asked for, one after the other. */
export async function runParts(parts: Readonly<Record<string, () => Promise<void> | void>>): Promise<void> {
  const unknown = chosenParts.filter((part) => !(part in parts));
  if (unknown.length > 0) {
    throw new Error(`There is no part "${unknown.join('", "')}", but ${Object.keys(parts).join(', ')}`);
  }
  for (const [name, run] of Object.entries(parts)) {
    if (chosenParts.length === 0 || chosenParts.includes(name)) await run();
  }
}
