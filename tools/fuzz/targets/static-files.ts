import { parseFile, servicesIn } from '../../../packages/backends/static/src/services-file.ts';
import { readFolderServices } from '../../../packages/backends/static/src/services-folder.ts';
import { readFileServices } from '../../../packages/backends/static/src/services.ts';
import { areInstances, holds, newMalformed, reportIsBounded, typed } from '../oracle.ts';
import type { FuzzTarget } from '../target.ts';

/** A file that somebody edits: as JSON, as YAML, and as one of a folder, where it costs its service alone. */
export const staticFiles: FuzzTarget = {
  name: 'static-files',
  testRuns: 60,
  format: 'text',
  seeds: [
    '{"services":{"orders":["http://10.0.0.1:80",{"host":"b","port":81,"metadata":{"a":"b"}}],"__proto__":[],"a/b":1}}',
    'services:\n  orders:\n    - http://10.0.0.1:80\n    - { host: b, port: 81, tags: [x] }\n  users: &u\n    - https://c\n  more: *u\n',
    'defaults: &d\n  port: 80\nservices:\n  orders:\n    - { <<: *d, host: a }\n    - !!binary aGk=\n    - 2001-01-01\n',
    '%YAML 1.1\n---\nservices: !!omap\n  - orders: !!set {a, b}\n',
    'http://10.0.0.1:80, http://10.0.0.2:80 # two\nhttp://u:p@h',
    '[{"host":"a","port":1},{"host":"a","port":1}]',
    'a: &a [x, x]\nb: &b [*a, *a]\nservices: {orders: [*b, *b]}',
  ],
  words: [
    'services',
    'orders',
    '&a ',
    '*a',
    '<<: ',
    '!!',
    '!!map',
    '---\n',
    '- ',
    '{',
    '[',
    '\n',
    ': ',
    '|',
    '? ',
    '%YAML 1.1\n',
    '__proto__',
    '@',
  ],
  run(input) {
    const text = input.toString();
    for (const file of ['s.json', 's.yaml']) {
      const malformed = newMalformed();
      const read = typed(() => {
        const parsed = parseFile({ file, text });
        return readFileServices(
          { services: servicesIn(parsed), locate: parsed.locate },
          new Map(),
          malformed,
        );
      });
      for (const [service, instances] of read ?? []) areInstances(instances, service);
      holds([...(read?.values() ?? [])].flat().length <= text.length, 'more instances than characters');
      reportIsBounded(malformed);
    }
    const malformed = newMalformed();
    const texts = ['broken.json', 'broken2.yaml', 'broken3.txt'].map((file) => ({ file, text }));
    const good = { file: 'good.txt', text: 'http://10.9.9.1:80' };
    const services = readFolderServices([...texts, good], new Map(), malformed);
    for (const [service, instances] of services) areInstances(instances, service);
    holds(services.get('good')?.length === 1, 'the file beside it is lost');
    reportIsBounded(malformed);
  },
};
