import { describe, expect, it } from 'vitest';
import type { Scenario, ScenarioResult } from '../scenario.ts';
import { instancesGo, registryForgets } from '../scenarios/s8-registry-forgets.ts';

describe('S8', () => {
  it('crushes the 5 instances that a forgetful registry still lists, if it is trusted', async () => {
    const { figures } = await run(registryForgets, 'trusting');
    expect(figures['errors while it lists 5, %']).toBeGreaterThan(95);
  });

  it('costs more than its target if instances that are gone are held and calls are not repeated', async () => {
    const { figures } = await run(instancesGo, 'holding, no retries');
    expect(figures['errors, %']).toBeGreaterThan(2.5);
  });
});

async function run({ id, contestants }: Scenario, name: string): Promise<ScenarioResult> {
  const contestant = contestants.find((each) => each.name === name);
  if (contestant === undefined) throw new Error(`${id} has no contestant "${name}"`);
  return contestant.run(1);
}
