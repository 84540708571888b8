import type { BackendHarness, RegistryHarness } from './backend-harness.ts';

/** What a harness must be able to do for a case. */
export interface Capability<H extends BackendHarness> {
  readonly name: string;
  isIn(harness: BackendHarness): harness is H;
}

export const any: Capability<BackendHarness> = {
  name: 'any backend',
  isIn: (harness): harness is BackendHarness => 'time' in harness,
};

export const registering: Capability<RegistryHarness> = {
  name: 'a backend that registers',
  isIn: (harness): harness is RegistryHarness => !('publish' in harness),
};

export const writingMalformed: Capability<With<BackendHarness, 'writeMalformed'>> = {
  name: 'writeMalformed()',
  isIn: (harness): harness is With<BackendHarness, 'writeMalformed'> => harness.writeMalformed !== undefined,
};

export const runningProgram: Capability<BackendHarness & { readonly program: readonly string[] }> = {
  name: 'a program',
  isIn: (harness): harness is BackendHarness & { readonly program: readonly string[] } =>
    harness.program !== undefined,
};

/** What only some stores have, in a backend that registers. */
function having<K extends OptionalKey>(
  member: K,
  name = `${member}()`,
): Capability<With<RegistryHarness, K>> {
  return {
    name,
    isIn: (harness): harness is With<RegistryHarness, K> =>
      registering.isIn(harness) && harness[member] !== undefined,
  };
}

export const deletingAsStranger = having('deleteAsStranger');
export const killing = having('server', 'a server');
export const disturbing = having('createRemoteClient');
export const disconnecting = having('disconnectAll');
export const countingRequests = having('requests');
export const forgettingLeases = having('forgetLease');
export const losingPushes = having('losePush');
export const movingRevisions = having('moveRevision');
export const losingRevisions = having('loseRevision');
export const compacting = having('compact');
export const failingOver = having('failOver');
export const denying = having('access', 'access');
export const runningProviders = having('providerProgram');

type OptionalKey =
  | 'server'
  | 'deleteAsStranger'
  | 'createRemoteClient'
  | 'disconnectAll'
  | 'requests'
  | 'forgetLease'
  | 'losePush'
  | 'moveRevision'
  | 'loseRevision'
  | 'compact'
  | 'failOver'
  | 'access'
  | 'providerProgram';

type With<H, K extends keyof H> = H & { readonly [Member in K]-?: NonNullable<H[Member]> };

/** For cases that need two things of a harness. */
export function both<A extends BackendHarness, B extends BackendHarness>(
  first: Capability<A>,
  second: Capability<B>,
): Capability<A & B> {
  return {
    name: `${first.name} and ${second.name}`,
    isIn: (harness): harness is A & B => first.isIn(harness) && second.isIn(harness),
  };
}
