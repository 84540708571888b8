import { expect, it } from 'vitest';
import { blocksOf, installedPackages, promisedOutput } from '../docs/blocks.ts';

const markdown = `# Title

\`\`\`sh
npm install @sd/client @sd/memory got
\`\`\`

1. Indented:

   \`\`\`ts compile-only
   if (true) {
     console.log(3); // prints: 3
   }
   console.log(4); //→ 4
   \`\`\`
`;

it('finds blocks with their place, language and info', () => {
  expect(blocksOf('README.md', markdown)).toMatchObject([
    { file: 'README.md', line: 4, language: 'sh', info: '' },
    { file: 'README.md', line: 10, language: 'ts', info: 'compile-only' },
  ]);
});

it('takes the indentation of a list away', () => {
  const [, program] = blocksOf('README.md', markdown);
  expect(program?.code.split('\n')[1]).toBe('  console.log(3); // prints: 3');
});

it('reads what is promised and what is installed', () => {
  const [shell, program] = blocksOf('README.md', markdown);
  expect(shell && installedPackages(shell)).toEqual(['@sd/client', '@sd/memory']);
  expect(program && promisedOutput(program)).toEqual(['3', '4']);
});
