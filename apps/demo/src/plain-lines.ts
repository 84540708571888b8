import type { Writable } from 'node:stream';
import type { Display } from './display.ts';
import type { ShopEvent, ShopState } from './shop-state.ts';
import { eventLine, renderStatus } from './table.ts';
import { paint, type Line } from './text.ts';

/** For logs and pipes: events as they happen, and a line on the state of things every second. */
export class PlainLines implements Display {
  readonly fleeting = false;
  readonly #output: Writable;
  #nextStatusMs = 1_000;

  constructor(output: Writable) {
    this.#output = output;
  }

  show(state: ShopState): void {
    if (state.elapsedMs < this.#nextStatusMs) return;
    this.#nextStatusMs = Math.floor(state.elapsedMs / 1_000 + 1) * 1_000;
    this.#write(renderStatus(state));
  }

  tell(event: ShopEvent): void {
    this.#write(eventLine(event));
  }

  close(): void {
    return;
  }

  #write(line: Line): void {
    this.#output.write(`${paint(line, { colour: false })}\n`);
  }
}
