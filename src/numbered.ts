/** Construct ids of the members of a list: `Rule`, `Rule2`, … */
export function numbered(id: string, index: number): string {
  return index === 0 ? id : `${id}${index + 1}`;
}
