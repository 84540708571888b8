import { scenarios } from './scenarios/index.ts';

for (const { id, title, target, contestants } of scenarios) {
  console.log(`\n${id}: ${title}. Target: ${target}`);
  for (const contestant of contestants) {
    const { figures, missed } = await contestant.run(1);
    const cells = Object.entries(figures).map(([name, value]) => `${name} ${value.toFixed(2)}`);
    console.log(
      `  ${contestant.name.padEnd(24)} ${cells.join('  ')} ${contestant.isOurs ? missed.join('; ') : ''}`,
    );
  }
}
