import { displayFor, hasColour } from './display.ts';
import { listenForInterruption } from './interruption.ts';
import { helpText, parseCommand, type DemoOptions } from './options.ts';
import { judge } from './promises.ts';
import { Run } from './run.ts';
import { renderJudgements, renderSummary } from './summary.ts';
import { eventLine } from './table.ts';
import { paint, type Line } from './text.ts';

const { env, stdout, stderr } = process;
const command = parseCommand(process.argv.slice(2));

switch (command.kind) {
  case 'help':
    stdout.write(helpText);
    break;
  case 'mistake':
    stderr.write(`${command.message}\nSee --help.\n`);
    process.exitCode = 2;
    break;
  case 'run':
    process.exitCode = await main(command.options);
}

/** @returns the exit code */
async function main(options: DemoOptions): Promise<number> {
  const interruption = listenForInterruption();
  const display = displayFor(stdout, env);
  const run = new Run(options, display);
  const facts = await run.play(interruption.signal).finally(() => display.close());

  const { calls, events, fleet } = run;
  if (display.fleeting) print(events.map(eventLine));
  print([[], ...renderSummary({ facts, calls, repeatedPayments: fleet.ledger.repeated }), []]);
  if (interruption.exitCode !== undefined) {
    print([[{ text: 'Interrupted: the promises were not judged.' }]]);
    return interruption.exitCode;
  }
  const judgements = judge(facts);
  print(renderJudgements(judgements));
  return judgements.every(({ kept }) => kept) ? 0 : 1;
}

function print(lines: readonly Line[]): void {
  const colour = hasColour(stdout, env);
  stdout.write(lines.map((line) => `${paint(line, { colour })}\n`).join(''));
}
