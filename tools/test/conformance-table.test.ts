import { expect, it } from 'vitest';
import { conformanceTable } from '../conformance/conformance-table.ts';

it('has a row for each case and a column for each topology, and counts what passed', () => {
  const suite = 'RedisBackend keeps the contract of a backend';
  const result = (topology: string, title: string, status: string) => ({
    ancestorTitles: [topology, suite],
    title,
    status,
  });
  const assertionResults = [
    result('cluster', '8: it is killed', 'failed'),
    result('standalone', '1: it begins', 'passed'),
    result('standalone', '8: it is killed', 'passed'),
    result('standalone', '24: it fails over', 'skipped'),
    result('external', '1: it begins', 'skipped'),
    { ancestorTitles: ['RedisBackend'], title: 'something else', status: 'passed' },
  ];
  expect(conformanceTable({ testResults: [{ assertionResults }] })).toBe(
    [
      '| case | what holds | standalone | cluster |',
      '| --- | --- | --- | --- |',
      '| 8 | it is killed | ✓ | ✗ |',
      '| 1 | it begins | ✓ | – |',
      '| 24 | it fails over | – | – |',
      '|  | passed, of those that apply | 2 of 2 | 0 of 1 |',
    ].join('\n'),
  );
});
