import { Construct } from 'constructs';

/** Compilers refuse what is of another kind; JavaScript does not see it, nor do runners that strip types. */
export function validateKind(what: string, kind: string, marker: string, values: unknown[], why: string): void {
  const at = values.findIndex(value => typeof value !== 'object' || value === null || !(marker in value));
  if (at >= 0) {
    throw new Error(`${what} must be ${kind}, got ${shown(values[at])}: ${why}`);
  }
}

/** A value for a message. */
export function shown(value: unknown): string {
  if (typeof value === 'string') {
    return `'${value.slice(0, 60)}'`;
  }
  if (Construct.isConstruct(value)) {
    return `'${value.node.path}'`;
  }
  return typeof value === 'object' && value !== null ? 'an object' : String(value);
}
