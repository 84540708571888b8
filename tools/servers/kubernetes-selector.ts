export type LabelPredicate = (labels: Readonly<Record<string, string>>) => boolean;

/** `app=web,track!=canary,team in (a,b),!old`, as API servers read it; empty selects all. */
export function parseLabelSelector(text: string): LabelPredicate {
  const parts = text.split(/,(?![^(]*\))/).filter((part) => part.trim() !== '');
  const predicates = parts.map(parsePart);
  return (labels) => predicates.every((predicate) => predicate(labels));
}

function parsePart(part: string): LabelPredicate {
  const set = /^\s*(\S+)\s+(in|notin)\s+\(([^)]*)\)\s*$/.exec(part);
  if (set !== null) {
    const [, key = '', operator, list = ''] = set;
    const values = new Set(list.split(',').map((value) => value.trim()));
    return (labels) => values.has(labels[key] ?? '\0') === (operator === 'in');
  }
  const [, key = '', operator, value = ''] = /^\s*([^=!\s]+)\s*(!=|==?)\s*(\S*)\s*$/.exec(part) ?? [];
  if (operator !== undefined) return (labels) => (labels[key] === value) === (operator !== '!=');
  const name = part.trim();
  return name.startsWith('!') ? (labels) => !(name.slice(1) in labels) : (labels) => name in labels;
}
