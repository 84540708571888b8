import type { Display } from './display.ts';
import type { ShopState } from './shop-state.ts';
import { renderScreen } from './table.ts';
import { paint } from './text.ts';

/** What is needed of a terminal. */
export interface Terminal {
  readonly columns: number;
  readonly rows: number;
  write(text: string): unknown;
  on(event: 'resize', listener: () => void): unknown;
  off(event: 'resize', listener: () => void): unknown;
}

/** A table on the terminal's second screen, so that the first is as it was when the demo ends, however it ends. */
export class LiveScreen implements Display {
  readonly fleeting = true;
  readonly #output: Terminal;
  readonly #colour: boolean;
  #state: ShopState | undefined;
  #closed = false;

  constructor(output: Terminal, { colour }: { readonly colour: boolean }) {
    this.#output = output;
    this.#colour = colour;
    output.write(enter);
    output.on('resize', this.#redraw);
    process.once('exit', this.#leave);
  }

  show(state: ShopState): void {
    this.#state = state;
    this.#draw(state);
  }

  /** Events are part of the state. */
  tell(): void {
    return;
  }

  close(): void {
    this.#output.off('resize', this.#redraw);
    process.off('exit', this.#leave);
    this.#leave();
  }

  readonly #redraw = (): void => {
    if (this.#state !== undefined) this.#draw(this.#state);
  };

  readonly #leave = (): void => {
    if (!this.#closed) this.#output.write(leave);
    this.#closed = true;
  };

  /** In one write, over what is there: nothing is blank in between. */
  #draw(state: ShopState): void {
    // A terminal that nobody has told its size says 0.
    const size = { columns: this.#output.columns || 80, rows: this.#output.rows || 24 };
    const lines = renderScreen(state, size).map((line) => paint(line, { colour: this.#colour }));
    this.#output.write(`${startFrame}${lines.join(`${restOfLine}\r\n`)}${restOfScreen}${endFrame}`);
  }
}

// DEC private modes, as xterm describes them in "XTerm Control Sequences".
const enter = '\x1b[?1049h\x1b[?25l'; // the second screen, without a cursor
const leave = '\x1b[?25h\x1b[?1049l';
const startFrame = '\x1b[?2026h\x1b[H'; // shown as a whole, by terminals that can
const endFrame = '\x1b[?2026l';
const restOfLine = '\x1b[K';
const restOfScreen = '\x1b[J';
