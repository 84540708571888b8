import { readdirSync } from 'node:fs';
import { recording } from '../../../packages/backends/kubernetes/test/recording.ts';

const folder = new URL('../../../packages/backends/kubernetes/test/recordings/', import.meta.url);

/** Bodies of what a real API server answered to watches, each a stream of lines. */
export const recordedWatches: readonly Buffer[] = bodies(/-watch-/);

/** Items of the lists that a real API server answered. */
export const recordedSlices: readonly unknown[] = bodies(/-list-/)
  .flatMap((body) => {
    try {
      return (JSON.parse(body.toString()) as { readonly items?: readonly unknown[] }).items ?? [];
    } catch {
      return []; // one was packed, and others are refusals
    }
  })
  .slice(0, 8);

function bodies(name: RegExp): Buffer[] {
  const numbers = readdirSync(folder).filter((file) => file.endsWith('.jsonl') && name.test(file));
  return numbers.map((file) => Buffer.concat(recording(file.slice(0, 2)).chunks.map(({ bytes }) => bytes)));
}
