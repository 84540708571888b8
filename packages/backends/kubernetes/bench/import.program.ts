// Prints what it takes to import a module: milliseconds, and MB of resident memory.
const [name = ''] = process.argv.slice(2);
await import('@sd/core');
const before = process.memoryUsage.rss();
const startedAt = performance.now();
await import(name);
const ms = performance.now() - startedAt;
console.log(JSON.stringify({ ms, mb: (process.memoryUsage.rss() - before) / 1_048_576 }));
