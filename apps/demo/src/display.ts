import type { WriteStream } from 'node:tty';
import { LiveScreen } from './live-screen.ts';
import { PlainLines } from './plain-lines.ts';
import type { ShopEvent, ShopState } from './shop-state.ts';

/** Where the run is shown. */
export interface Display {
  /** Whether nothing of it remains to be read after `close()`. */
  readonly fleeting: boolean;
  /** Called a few times a second. */
  show(state: ShopState): void;
  /** Called as it happens. */
  tell(event: ShopEvent): void;
  /** Leaves the terminal as it was. Idempotent. */
  close(): void;
}

/** A table that is redrawn in place where that is possible, else lines that are appended. */
export function displayFor(output: WriteStream, env: NodeJS.ProcessEnv): Display {
  const live = output.isTTY && env['TERM'] !== 'dumb';
  return live ? new LiveScreen(output, { colour: hasColour(output, env) }) : new PlainLines(output);
}

/** https://no-color.org */
export function hasColour(output: Pick<WriteStream, 'isTTY'>, env: NodeJS.ProcessEnv): boolean {
  return output.isTTY && env['TERM'] !== 'dumb' && (env['NO_COLOR'] ?? '') === '';
}
