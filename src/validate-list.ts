import { shown } from './validate-kind';

/** JavaScript and Python pass what is undefined (None) unseen: a list must be one, without gaps. */
export function validateList(what: string, list: unknown, why = ''): void {
  if (!Array.isArray(list)) {
    throw new Error(`${what} must be a list, got ${list === null ? 'null' : typeof list}`);
  }
  const gap = list.findIndex(element => element === undefined || element === null);
  if (gap >= 0) {
    throw new Error(`${what} must have a value at each place, got ${list[gap]} at place ${gap + 1} of ${list.length}${why}`);
  }
}

/** A list of names, patterns or values: `1.27` without quotes is a number to JavaScript. */
export function validateTexts(what: string, list: unknown): void {
  validateList(what, list);
  const texts = list as unknown[];
  const at = texts.findIndex(element => typeof element !== 'string');
  if (at >= 0) {
    throw new Error(`${what} must have texts, got ${shown(texts[at])} at place ${at + 1} of ${texts.length}: write it in quotes`);
  }
}
