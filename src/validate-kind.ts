import { Construct } from 'constructs';

/** Compilers refuse what is of another kind; JavaScript does not see it, nor do runners that strip types. */
export function validateKind(what: string, kind: string, marker: string, values: unknown[], why: string): void {
  const at = values.findIndex(value => typeof value !== 'object' || value === null || !(marker in value));
  if (at >= 0) {
    throw new Error(`${what} must be ${kind}, got ${shown(values[at])}: ${why}`);
  }
}

/** A set of named values, such as the options of a method: where JavaScript hands over null, nothing is meant to be read from it. */
export function validateObject(what: string, value: unknown, why: string): void {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new Error(`${what} must be an object, got ${shown(value)}: ${why}`);
  }
}

/** Options of a method, which may be left out. */
export function validateOptions(what: string, value: unknown): void {
  validateObject(`options of ${what}`, value, 'leave them out for the defaults');
}

/** What may be left out, but not be anything else, as null is. */
export function ifGiven<T>(value: T | undefined): T[] {
  return value === undefined ? [] : [value];
}

export function validateFlag(what: string, value: unknown): void {
  if (value !== undefined && typeof value !== 'boolean') {
    throw new Error(`${what} must be true or false, got ${shown(value)}: leave it out for the default`);
  }
}

export function validateDuration(what: string, value: unknown): void {
  validateKind(what, 'a Duration', 'toSeconds', ifGiven(value), 'give Duration.minutes()');
}

/** A value for a message. */
export function shown(value: unknown): string {
  if (typeof value === 'string') {
    return `'${value.slice(0, 60)}'`;
  }
  if (Construct.isConstruct(value)) {
    return `'${value.node.path}'`;
  }
  return Array.isArray(value) ? 'a list' : typeof value === 'object' && value !== null ? 'an object' : typeof value === 'function' ? 'a function' : String(value);
}
