/** How an input is to be changed so that it stays nearly what it was. */
export type InputFormat = 'json' | 'lines' | 'text' | 'bytes';

/** Something that reads what others wrote. */
export interface FuzzTarget {
  /** Kebab-case; also the name of its folder in `corpus/`. */
  readonly name: string;
  readonly format: InputFormat;
  /** What begins the search: true to life, and as different from each other as possible. */
  readonly seeds: readonly (string | Buffer)[];
  /** Words that mean something there, to be put anywhere. */
  readonly words?: readonly string[];
  /** How many runs the test makes; fewer where one takes long. Default: 300. */
  readonly testRuns?: number;
  /**
   * How long a run may take, in milliseconds, where it waits for real servers. Few are made then: finds are not made
   * smaller, and nobody measures growth. Default: 9,000, and hardly any time in general.
   */
  readonly mostMs?: number;
  /** @throws when what must always hold does not: anything thrown is a find */
  run(input: Buffer): void | Promise<void>;
}
