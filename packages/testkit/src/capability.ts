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

export const deletingAsStranger: Capability<With<RegistryHarness, 'deleteAsStranger'>> = {
  name: 'deleteAsStranger()',
  isIn: (harness): harness is With<RegistryHarness, 'deleteAsStranger'> =>
    registering.isIn(harness) && harness.deleteAsStranger !== undefined,
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

type With<H, K extends keyof H> = H & Required<Pick<H, K>>;
