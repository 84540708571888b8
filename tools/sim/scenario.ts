/** A situation that tells balancers apart, run for one contestant after the other. */
export interface Scenario {
  /** `S1` … `S7`, `S8a`, `S8b`. */
  readonly id: string;
  /** One line: what happens. */
  readonly title: string;
  /** What ours must reach, in words. */
  readonly target: string;
  /** Ours first, the others as they are known in their own projects. */
  readonly contestants: readonly Contestant[];
}

export interface Contestant {
  readonly name: string;
  /** Whether it is ours, and so must meet the target. */
  readonly isOurs: boolean;
  /** The same seed gives the same result. */
  run(seed: number): Promise<ScenarioResult> | ScenarioResult;
}

export interface ScenarioResult {
  /** By name, with its unit in the name: `answered within 1 s, %`. */
  readonly figures: Readonly<Record<string, number>>;
  /** Targets that were missed, in words; empty when all were met. */
  readonly missed: readonly string[];
  /** Latency over time, for the chart. */
  readonly series?: readonly { readonly time: number; readonly latencyMs: number }[] | undefined;
}
