import { Program } from '../../../../tools/bench/program.ts';
import type { LoadTasks } from './load.program.ts';
import type { ServersTasks } from './servers.program.ts';
const [gens, rounds, ms, ...names] = process.argv.slice(2);
const loadProgram = new URL('load.program.ts', import.meta.url);
await using servers = new Program<ServersTasks>(new URL('servers.program.ts', import.meta.url));
const ports = await servers.ask('start', { count: 3 });
const all: any = Object.fromEntries(names.map((n) => [n, []]));
for (let g = 0; g < Number(gens); g++) {
  const loads = new Map(names.map((n) => [n, new Program<LoadTasks>(loadProgram)]));
  for (const n of names) all[n].push([]);
  for (let i = 0; i < Number(rounds); i++) for (const n of i % 2 ? names : [...names].reverse())
    all[n][g].push(await loads.get(n)!.ask('round', { name: n as any, ports, concurrency: 50, ms: Number(ms) }));
  await Promise.all(Array.from(loads.values(), (l) => l[Symbol.asyncDispose]()));
}
const med = (l: number[]) => [...l].sort((a, b) => a - b)[l.length >> 1]!;
const block = Number(process.env.BLOCK ?? 10);
for (const n of names.slice(1)) for (let b = 0; b < Number(rounds); b += block) {
  const cpu: number[] = [], rat: number[] = [], base: number[] = [];
  for (let g = 0; g < Number(gens); g++) for (let i = b; i < b + block; i++) { const x = all[n][g][i], h = all[names[0]!][g][i]; cpu.push(x.cpuUs - h.cpuUs); rat.push(x.perSecond / h.perSecond); base.push(h.cpuUs); }
  console.log(n, `rounds ${b}-${b + block}`, 'ratio', med(rat).toFixed(3), 'more', med(cpu).toFixed(1), 'of', med(base).toFixed(0));
}
