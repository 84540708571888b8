import { openSync, readFileSync, writeSync } from 'node:fs';

/** What happened to whom and when. Everything that a run is judged by is in its history. */
export type HistoryEvent = Stamp & Happening;

interface Stamp {
  /** Milliseconds of the clock that all processes of a machine share and nobody can set. */
  readonly t: number;
  /** The process that it happened to: `harness`, `provider-1.2` (second process in the first place), `consumer-1.1`. */
  readonly who: string;
}

export type Happening =
  // What the harness does.
  | FaultEvent
  | { readonly kind: 'spawned'; readonly role: Role }
  | { readonly kind: 'told'; readonly to: 'drain' | 'end' }
  | {
      readonly kind: 'exited';
      readonly code: number | null;
      readonly signal: string | null;
      /** Whether the harness killed it. */
      readonly killed: boolean;
    }
  /** From now on all views have to come right: it begins once all was well for the first time. */
  | { readonly kind: 'begun' }
  /** The last fault has ended. */
  | { readonly kind: 'calm' }
  /** The observation ends; then all are told to end. */
  | { readonly kind: 'over' }
  /** What a client that never saw the store before finds there. */
  | { readonly kind: 'listed'; readonly when: 'calm' | 'ended'; readonly ports: readonly number[] }
  // What providers say.
  | { readonly kind: 'listening'; readonly port: number }
  | { readonly kind: 'state'; readonly value: string; readonly code?: string | undefined }
  /** Its server accepts nothing from now on. */
  | { readonly kind: 'closing' }
  | { readonly kind: 'drained' }
  /** What a POST asked for was done. */
  | { readonly kind: 'done'; readonly order: string }
  // What consumers say.
  | {
      readonly kind: 'view';
      readonly state: string;
      readonly held: number;
      /** Of all instances in it; of those that take requests. */
      readonly ports: readonly number[];
      readonly serving: readonly number[];
    }
  /** So many entries of the store could not be read so far, the last one for this reason. */
  | { readonly kind: 'malformed'; readonly count: number; readonly problem: string }
  | { readonly kind: 'call'; readonly call: number; readonly method: Method }
  /** By its caller. */
  | { readonly kind: 'cancelled'; readonly call: number }
  | { readonly kind: 'attempt'; readonly call: number; readonly port: number; readonly as: string }
  | { readonly kind: 'answered'; readonly call: number; readonly port: number }
  | {
      readonly kind: 'failed';
      readonly call: number;
      /** Undefined: the error had none. */
      readonly code: string | undefined;
      readonly text: string;
    }
  // What any of them says.
  /** It could not run for so long. */
  | { readonly kind: 'stalled'; readonly ms: number }
  /** Nobody caught it. */
  | { readonly kind: 'uncaught'; readonly text: string }
  | { readonly kind: 'log'; readonly text: string };

export interface FaultEvent {
  readonly kind: 'fault';
  readonly number: number;
  readonly phase: 'begins' | 'ends';
  readonly fault: FaultName;
  /**
   * Names of processes, or `store`; of calls, a provider and the places of consumers: `consumer-1`; `sentinels` where they
   * are all of them, and `sentinel-2`.
   */
  readonly targets: readonly string[];
  /** For people to read. */
  readonly text: string;
}

export type FaultName =
  | 'kill-provider'
  | 'freeze-provider'
  | 'kill-consumer'
  | 'freeze-consumer'
  | 'kill-store'
  | 'wipe-store'
  | 'freeze-store'
  | 'reform-store'
  | 'kill-sentinels'
  | 'freeze-sentinels'
  | 'cut-off'
  | 'refuse'
  | 'reset'
  | 'slow-link'
  | 'cut-call'
  | 'slow-call'
  | 'bad-entry'
  | 'jump-clock'
  | 'deploy'
  | 'scale-up'
  | 'scale-to-zero';

export type Role = 'provider' | 'consumer';

/** A POST must not be done twice. */
export type Method = 'GET' | 'POST';

/** Milliseconds that can be compared between the processes of a machine. */
export const now = (): number => Number(process.hrtime.bigint()) / 1e6;

/** Writes events of one process into the file that all of a run share. What was written survives a SIGKILL. */
export class HistoryWriter {
  readonly #file: number;
  readonly #who: string;

  constructor(file: string, who: string) {
    this.#file = openSync(file, 'a');
    this.#who = who;
  }

  write(happening: Happening, who = this.#who): void {
    writeSync(this.#file, `${JSON.stringify({ t: Number(now().toFixed(2)), who, ...happening })}\n`);
  }
}

/** In the order in which it happened. */
export function readHistory(file: string): readonly HistoryEvent[] {
  const lines = readFileSync(file, 'utf8').split('\n');
  // Whoever was killed amid a line left a part of it.
  const events = lines.flatMap((line) => (line.endsWith('}') ? [JSON.parse(line) as HistoryEvent] : []));
  return events.sort((one, other) => one.t - other.t);
}
