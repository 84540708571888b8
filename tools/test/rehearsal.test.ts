import { expect, it } from 'vitest';
import { auditOutcome } from '../release/audit.ts';
import { bomProblems } from '../release/bill-of-materials.ts';

it('says that nothing was checked where the registry does not audit', () => {
  const refusal =
    'npm warn audit 405 Method Not Allowed - POST somewhere\n\nnpm error audit endpoint returned an error\n';
  expect(auditOutcome(1, '{ "error": {} }', refusal)).toEqual({
    outcome: 'not checked',
    text: '405 Method Not Allowed - POST somewhere',
  });
  expect(auditOutcome(1, '', '')).toEqual({ outcome: 'not checked', text: 'npm audit ended with 1' });
});

it('tells what was found from what was not', () => {
  const report = (high: number): string =>
    JSON.stringify({ metadata: { vulnerabilities: { low: 2, high } } });
  expect(auditOutcome(1, report(1), '')).toEqual({ outcome: 'failed', text: '2 low, 1 high' });
  expect(auditOutcome(0, report(0), '')).toEqual({ outcome: 'passed', text: '2 low, 0 high' });
});

it('finds what is wrong with a bill of materials', () => {
  const got = { 'bom-ref': 'got@1.0.0', name: 'got', version: '1.0.0', purl: 'pkg:npm/got@1.0.0' };
  const bom = {
    bomFormat: 'CycloneDX',
    specVersion: '1.5',
    components: [got],
    dependencies: [{ ref: 'got@1.0.0' }],
  };
  expect(bomProblems(bom, ['got'])).toEqual([]);
  expect(bomProblems(bom, ['got', 'valibot'])).toEqual(['valibot is missing']);
  expect(bomProblems({ ...bom, components: [{ 'bom-ref': 'got', name: 'got' }] }, [])).toEqual([
    'got has no version or no purl',
  ]);
  expect(bomProblems({ ...bom, dependencies: [{ ref: 'a', dependsOn: ['b'] }] }, [])).toEqual([
    'b is depended on, and no component',
  ]);
  expect(bomProblems({}, [])).toEqual(['It is unknown unknown, not CycloneDX 1.5 or newer']);
});
