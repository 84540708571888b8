/**
 * A non-null assertion needs its reason: a comment on its line, or on or above a statement that holds it.
 *
 * @type {import('eslint').Rule.RuleModule}
 */
export const reasonedAssertion = {
  meta: {
    type: 'problem',
    schema: [],
    messages: { reason: 'Say in a comment beside it why this is never null, or check it.' },
  },
  create(context) {
    const { sourceCode } = context;
    const commented = new Set(
      sourceCode.getAllComments().flatMap(({ loc }) => [loc.start.line, loc.end.line]),
    );
    return {
      TSNonNullExpression(node) {
        const lines = [node.loc.start.line, node.loc.end.line];
        for (let around = node; around && !/^Function|^Program/.test(around.type); around = around.parent) {
          if (/(?<!Block)Statement|Declaration|Definition/.test(around.type)) {
            lines.push(around.loc.start.line - 1, around.loc.start.line);
          }
        }
        if (!lines.some((line) => commented.has(line))) context.report({ node, messageId: 'reason' });
      },
    };
  },
};
