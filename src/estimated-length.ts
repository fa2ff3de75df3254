/** AWS's limits have slack above the budgets that this is held against, and generated names are mostly shorter. */
const LENGTH_OF_A_TOKEN = 60;
const LENGTH_OF_A_PSEUDO_PARAMETER = 14;

/** How long a text will be at deployment, when parts of it (partition, account, generated names) are known only then. */
export function estimatedLength(text: string): number {
  return text
    .replace(/\$\{Token\[AWS\.[^\]]*\]\}/g, 'x'.repeat(LENGTH_OF_A_PSEUDO_PARAMETER))
    .replace(/\$\{Token\[[^\]]*\]\}/g, 'x'.repeat(LENGTH_OF_A_TOKEN))
    .length;
}

/** Cuts a list into runs whose estimated length, written as a list of strings, stays within the budget. */
export function chunkByLength<T>(items: T[], text: (item: T) => string, budget: number): T[][] {
  const chunks: T[][] = [];
  let used = 0;
  for (const item of items) {
    const length = estimatedLength(text(item)) + '"",'.length;
    const current = chunks[chunks.length - 1];
    if (current && used + length <= budget) {
      current.push(item);
      used += length;
    } else {
      chunks.push([item]);
      used = length;
    }
  }
  return chunks;
}
