import { RuleTester } from 'eslint';
import tseslint from 'typescript-eslint';
import { describe, it } from 'vitest';
import { reasonedAssertion } from '../lint/reasoned-assertion.js';

RuleTester.describe = describe;
RuleTester.it = it;

new RuleTester({ languageOptions: { parser: tseslint.parser } }).run(
  'reasoned-assertion',
  reasonedAssertion,
  {
    valid: [
      'const last = list[0]!; // a list is never empty',
      '// a list is never empty\nconst last = list[0]!;',
      '// i < list.length\nfor (let i = 0; i < n; i += 1) {\n  sum += 1;\n  sum += list[i]!;\n}',
    ],
    invalid: [
      { code: 'const last = list[0]!;', errors: 1 },
      { code: '// about f\nfunction f() {\n\n  return list[0]!;\n}', errors: 1 },
    ],
  },
);
