import { EventEmitter } from 'node:events';
import { describe, expect, it } from 'vitest';
import { LiveScreen } from '../src/live-screen.ts';
import { someState } from './shop-state.ts';

class FakeTerminal extends EventEmitter {
  columns = 80;
  rows = 24;
  readonly writes: string[] = [];

  write(text: string): void {
    this.writes.push(text);
  }
}

describe('LiveScreen', () => {
  it('draws a frame in one write, without clearing the screen first', () => {
    const terminal = new FakeTerminal();
    using screen = open(terminal);
    screen.show(someState());
    expect(terminal.writes).toHaveLength(2); // the first opens the screen
    expect(terminal.writes[1]).not.toContain('\x1b[2J');
  });

  it('draws again at once when the terminal changes its size', () => {
    const terminal = new FakeTerminal();
    using screen = open(terminal);
    screen.show(someState());
    Object.assign(terminal, { columns: 40, rows: 3 });
    terminal.emit('resize');
    expect(terminal.writes.at(-1)).toContain('A small shop');
    expect(terminal.writes.at(-1)).not.toContain('service');
  });

  it('leaves the terminal as it was: first screen, cursor, no listeners', () => {
    const terminal = new FakeTerminal();
    const exitListeners = process.listenerCount('exit');
    const screen = new LiveScreen(terminal, { colour: false });
    screen.close();
    screen.close();
    expect(terminal.writes).toEqual(['\x1b[?1049h\x1b[?25l', '\x1b[?25h\x1b[?1049l']);
    expect(terminal.listenerCount('resize')).toBe(0);
    expect(process.listenerCount('exit')).toBe(exitListeners);
  });
});

function open(terminal: FakeTerminal): LiveScreen & Disposable {
  const screen = new LiveScreen(terminal, { colour: false });
  return Object.assign(screen, { [Symbol.dispose]: () => screen.close() });
}
