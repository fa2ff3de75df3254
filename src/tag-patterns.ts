import { isBeforeLookup, isToken } from './known-later';
import type { TagFilter } from './tag-filter';
import { ifGiven, shown } from './validate-kind';
import { validateTexts } from './validate-list';

/** Tags of cosign signatures, attestations and of referrers start with this. */
const REFERRER_PREFIX = 'sha256-';

const PATTERN_CHARACTERS = /^[A-Za-z0-9._*-]+$/;

export function validateTagFilter(filter: TagFilter): void {
  if (typeof filter !== 'object' || filter === null || Array.isArray(filter)) {
    throw new Error(`a tag filter must have include or exclude, got ${shown(filter)}: write { include: [...] }`);
  }
  for (const side of ['include', 'exclude'] as const) {
    ifGiven(filter[side]).forEach(patterns => validateTexts(`${side} of a tag filter`, patterns));
  }
  for (const pattern of [...filter.include ?? [], ...filter.exclude ?? []]) {
    if (isBeforeLookup(pattern)) {
      continue;
    }
    if (isToken(pattern)) {
      throw new Error('a tag pattern must be known at synth, got a token: select a tag known only at deployment by ImageSelection.tag()');
    }
    if (!PATTERN_CHARACTERS.test(pattern) || pattern.replace(/\*/g, '').length > 128 || /^[.-]/.test(pattern)) {
      throw new Error(`a tag pattern must be tag characters (A-Z, a-z, 0-9, . _ -, not starting with . or -) and *, at most 128 without the *, got '${pattern}'`);
    }
    if (pattern.includes('**')) {
      throw new Error(`a tag pattern takes one * at a time, got '${pattern}': write it with a single *`);
    }
  }
  if (filter.include?.length === 0) {
    throw new Error('a tag filter with an empty include list matches nothing: leave include out to want every tag');
  }
  const excluded = [...filter.exclude ?? [], `${REFERRER_PREFIX}*`];
  const includes = filter.include ?? ['*'];
  if (includes.every(include => excluded.some(exclude => covers(exclude, include)))) {
    throw new Error(`a tag filter must leave some tag, got include ${JSON.stringify(includes)}, of which exclude ${JSON.stringify(filter.exclude ?? [])} and the built-in ${REFERRER_PREFIX}* leave nothing`);
  }
}

/** Whether every tag that `inner` matches is matched by `outer`. Without a regular expression, which tries for hours where there are many *. */
function covers(outer: string, inner: string): boolean {
  const [first, ...others] = outer.split('*');
  const last = others.pop();
  if (last === undefined) {
    return outer === inner;
  }
  if (inner.length < first.length + last.length || !inner.startsWith(first) || !inner.endsWith(last)) {
    return false;
  }
  // A * of inner is a plain character here: only a * of outer can stand for it.
  const end = inner.length - last.length;
  let at = first.length;
  for (const part of others) {
    const found = inner.indexOf(part, at);
    if (found < 0 || found + part.length > end) {
      return false;
    }
    at = found + part.length;
  }
  return true;
}

/** The filter in the words of the node program: `&include=v*&exclude=*-rc`. */
export function renderForNode(filter: TagFilter): string {
  return [
    ...(filter.include ?? []).map(pattern => `&include=${pattern}`),
    ...(filter.exclude ?? []).map(pattern => `&exclude=${pattern}`),
  ].join('');
}

/**
 * The filter as an EventBridge pattern on `detail.image-tag`.
 *
 * EventBridge cannot demand two things of one field. Where the filter has includes and excludes, the rule lets through
 * what is included; the node program, which holds the whole filter, has the last word.
 *
 * @see https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html
 */
export function renderForEvents(filter: TagFilter): unknown[] {
  if (filter.include && !filter.include.includes('*')) {
    return filter.include.map(matcher);
  }
  return [anythingBut(filter.exclude ?? [])];
}

/** Whether the rule of the filter lets the push of this tag through: a rule of its own would start the runbooks a second time. */
export function passesRule({ include, exclude = [] }: TagFilter, tag: string): boolean {
  if (isToken(tag) || isBeforeLookup(tag)) {
    return false;
  }
  if (include && !include.includes('*')) {
    return include.some(pattern => covers(pattern, tag));
  }
  return ![...exclude, `${REFERRER_PREFIX}*`].some(pattern => covers(pattern, tag));
}

/** Whether the pattern needs EventBridge's wildcard operator, of which a bus allows 30 rules. */
export function usesWildcard(filter: TagFilter): boolean {
  return JSON.stringify(renderForEvents(filter)).includes('"wildcard"');
}

type Kind = 'exact' | 'prefix' | 'suffix' | 'wildcard';

function kindOf(pattern: string): Kind {
  const stars = pattern.split('*').length - 1;
  if (stars === 0) {
    return 'exact';
  }
  if (stars === 1 && pattern.endsWith('*')) {
    return 'prefix';
  }
  if (stars === 1 && pattern.startsWith('*')) {
    return 'suffix';
  }
  return 'wildcard';
}

function matcher(pattern: string): unknown {
  const kind = kindOf(pattern);
  if (kind === 'exact') {
    return pattern;
  }
  return { [kind]: kind === 'wildcard' ? pattern : pattern.replace('*', '') };
}

function anythingBut(excludes: string[]): unknown {
  // Children of an image of several architectures arrive with an empty tag, which `anything-but` must name.
  if (excludes.length > 0 && excludes.every(exclude => kindOf(exclude) === 'exact')) {
    return { 'anything-but': ['', ...excludes] };
  }
  return { 'anything-but': { wildcard: ['', ...excludes, `${REFERRER_PREFIX}*`] } };
}
