import { randomUUID } from 'node:crypto';
import { displayFor, hasColour } from './display.ts';
import { listenForInterruption, type Interruption } from './interruption.ts';
import { helpText, parseCommand, type DemoOptions } from './options.ts';
import { judge } from './promises.ts';
import { Run, type RunInit } from './run.ts';
import { connectTo, openStore, withoutSecrets } from './stores.ts';
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
  const store = openStore({ url: options.backend, prefix: `sd-demo-${randomUUID()}:` });
  let backend: RunInit['backend'];
  try {
    backend = await connectTo(store, interruption);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    stderr.write(`Cannot use the store at ${withoutSecrets(options.backend)}: ${reason}\n`);
    return interruption.exitCode ?? 2;
  }
  await using _attendant = await store.attend?.();
  try {
    return await play({ options, display: displayFor(stdout, env), store, backend }, interruption);
  } finally {
    await backend.close();
  }
}

async function play(init: RunInit, interruption: Interruption): Promise<number> {
  const { display } = init;
  const run = new Run(init);
  const facts = await run.play(interruption.signal).finally(() => display.close());

  const { calls, events, ledger, outages } = run;
  if (display.fleeting) print(events.map(eventLine));
  print([[], ...renderSummary({ facts, calls, outages, repeatedPayments: ledger.repeated }), []]);
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
