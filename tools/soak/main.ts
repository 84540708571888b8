/**
 * Does the work of an hour and looks whether the process holds more and more. Fails when it does.
 *   --only NAME   this program; may be given more than once
 *   --quick       a little of it
 *   --units N     another number of calls, leases, cycles
 */
import { parseArgs } from 'node:util';
import { runProgram, programs } from './run-program.ts';

const { values: options } = parseArgs({
  options: {
    only: { type: 'string', multiple: true },
    quick: { type: 'boolean', default: false },
    units: { type: 'string' },
  },
});
const chosen = programs.filter((name) => options.only?.includes(name) ?? true);
if (chosen.length === 0) throw new Error(`There are ${programs.join(', ')}`);

for (const name of chosen) {
  const args = [
    ...(options.quick ? ['--quick'] : []),
    ...(options.units === undefined ? [] : ['--units', options.units]),
  ];
  const report = await runProgram(name, args);
  const { unit, units, seconds, bytesPerUnit, mostBytesPerUnit, growth, heapMb, left, problems } = report;
  console.log(`${name}: ${units} ${unit}s in ${seconds.toFixed(0)} s`);
  console.log(
    `  ${bytesPerUnit.toFixed(2)} bytes for each ${unit} (at most ${mostBytesPerUnit}); heap ${heapMb.join(', ')} MB`,
  );
  console.log(`  growth ${JSON.stringify(growth)}, left ${JSON.stringify(left)}`);
  for (const problem of problems) console.log(`  PROBLEM: ${problem}`);
  if (problems.length > 0) process.exitCode = 1;
}
