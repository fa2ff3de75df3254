import * as fc from 'fast-check';
import { push } from './ecr-events';
import { askNodeProgram, whyNoNodeProgram } from './node-program';
import { pushPattern } from '../../src/push-pattern';
import type { TagFilter } from '../../src/tag-filter';
import { renderForNode, validateTagFilter } from '../../src/tag-patterns';
import { canMatchEvents } from '../../testbed/engines/capabilities';
import { EventRuler } from '../../testbed/engines/event-ruler';
import { ACCOUNT, REGION } from '../../testbed/place';

const skipped = (canMatchEvents() ? undefined : 'Java and AWS\'s event-ruler are not there') ?? whyNoNodeProgram();
if (skipped) {
  process.stderr.write(`The tag matching of EventBridge and of the node program is not compared: ${skipped}\n`);
}

const SEED = Number(process.env.TAG_FILTER_SEED ?? Date.now() % 2 ** 31);
const FILTERS = 1_500;
const TAGS_OF_FILTER = 20;
const REPOSITORY = 'team/app';
const HOST = `${ACCOUNT}.dkr.ecr.${REGION}.amazonaws.com`;

// A small alphabet, so that patterns and tags meet often.
const piece = (maxLength: number) => fc.string({ unit: fc.constantFrom(...'aaAb1.-_'), maxLength });
const isTag = (tag: string) => /^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$/.test(tag);

const pattern = fc.oneof(
  { weight: 8, arbitrary: fc.array(piece(3), { minLength: 1, maxLength: 4 }).map(pieces => pieces.join('*')) },
  { weight: 1, arbitrary: fc.constantFrom('*', 'sha256-*', 'sha256*', '*.sig', 'latest', 'v*', '*-prod', 'v*-prod') },
);
const patterns = fc.option(fc.uniqueArray(pattern, { minLength: 1, maxLength: 4 }), { nil: undefined, freq: 2 });
const filter: fc.Arbitrary<TagFilter> = fc.record({ include: patterns, exclude: patterns }).filter(isValid);

function isValid(candidate: TagFilter): boolean {
  try {
    validateTagFilter(candidate);
    return true;
  } catch {
    return false;
  }
}

/** Tags that a pattern matches, and tags that it nearly matches. */
function tagNear(one: string): fc.Arbitrary<string> {
  const filled = fc.tuple(...one.split('*').slice(1).map(() => piece(3)))
    .map(fillings => one.split('*').reduce((tag, part, index) => tag + fillings[index - 1] + part));
  return fc.tuple(filled, fc.constantFrom('as it is', 'as it is', 'shorter', 'longer', 'before', 'case', 'twice'), fc.nat(), piece(1)).map(([tag, change, at, character]) => {
    const place = at % (tag.length + 1);
    switch (change) {
      case 'shorter': return tag.slice(0, place) + tag.slice(place + 1);
      case 'longer': return tag.slice(0, place) + character + tag.slice(place);
      case 'before': return character + tag;
      case 'case': return tag.slice(0, place) + tag.slice(place).toUpperCase();
      case 'twice': return tag + tag;
      default: return tag;
    }
  });
}

const draw = filter.chain(drawn => {
  const near = [...drawn.include ?? [], ...drawn.exclude ?? []].map(tagNear);
  const tag = fc.oneof(
    ...near.map(arbitrary => ({ weight: 3, arbitrary })),
    { weight: 2, arbitrary: piece(6) },
    { weight: 1, arbitrary: piece(3).map(end => `sha256-${end}`) },
  ).filter(isTag);
  return fc.record({ filter: fc.constant(drawn), tags: fc.array(tag, { minLength: TAGS_OF_FILTER, maxLength: TAGS_OF_FILTER }) });
});

/** The plain definition, which both engines are held against. */
function wantedByDefinition({ include, exclude }: TagFilter, tag: string): boolean {
  const matches = (one: string) => matchesFrom(one, tag);
  return !tag.startsWith('sha256-') && (!include || include.some(matches)) && !(exclude ?? []).some(matches);
}

function matchesFrom(one: string, tag: string): boolean {
  if (one === '') {
    return tag === '';
  }
  if (one[0] === '*') {
    return matchesFrom(one.slice(1), tag) || (tag !== '' && matchesFrom(one, tag.slice(1)));
  }
  return one[0] === tag[0] && matchesFrom(one.slice(1), tag.slice(1));
}

interface Pair {
  readonly filter: TagFilter;
  readonly tag: string;
  readonly byRule: boolean;
  readonly byNode: boolean;
  readonly byDefinition: boolean;
}

(skipped ? describe.skip : describe)('what a tag filter wants', () => {
  const ruler = new EventRuler();
  let pairs: Pair[];

  beforeAll(async () => {
    const drawn = fc.sample(draw, { seed: SEED, numRuns: FILTERS });
    const byRule = await Promise.all(drawn.map(one => ruler.matchesEach(
      { detail: pushPattern(ACCOUNT, REGION, [{ repositoryNames: [REPOSITORY], tags: one.filter }]).detail },
      one.tags.map(tag => push(REPOSITORY, tag)),
    )));
    const byNode = askNodeProgram<boolean[]>('wanted', drawn.map(one => ({
      words: [`${HOST}/${REPOSITORY}?newest=1${renderForNode(one.filter)}`],
      references: one.tags.map(tag => `${HOST}/${REPOSITORY}:${tag}`),
    })));
    pairs = drawn.flatMap((one, row) => one.tags.map((tag, column) => ({
      filter: one.filter, tag, byRule: byRule[row][column], byNode: byNode[row][column], byDefinition: wantedByDefinition(one.filter, tag),
    })));
    const wanted = pairs.filter(pair => pair.byDefinition).length;
    process.stdout.write(`${pairs.length} pairs of filter and tag, ${wanted} wanted, TAG_FILTER_SEED=${SEED}\n`);
  }, 120_000);

  afterAll(() => ruler.stop());

  /** The shortest ones say most. */
  function shortest(wrong: Pair[]): string[] {
    return wrong.map(pair => JSON.stringify(pair)).sort((left, right) => left.length - right.length).slice(0, 5);
  }

  test('is drawn often enough on either side', () => {
    const wanted = pairs.filter(pair => pair.byDefinition).length;
    expect(pairs.length).toBeGreaterThanOrEqual(20_000);
    expect(wanted / pairs.length).toBeGreaterThan(0.15);
    expect(wanted / pairs.length).toBeLessThan(0.85);
  });

  test('is what the node program wants', () => {
    expect(shortest(pairs.filter(pair => pair.byNode !== pair.byDefinition))).toEqual([]);
  });

  test('is never kept back by the rule', () => {
    expect(shortest(pairs.filter(pair => pair.byNode && !pair.byRule))).toEqual([]);
  });

  test('is exactly what the rule lets through, where it has only includes or only excludes and the tag is no referrer\'s', () => {
    const decidedByRule = pairs.filter(({ filter: { include, exclude }, tag }) =>
      (!exclude || !include || include.includes('*')) && !tag.startsWith('sha256-'));
    expect(decidedByRule.length).toBeGreaterThan(10_000);
    expect(shortest(decidedByRule.filter(pair => pair.byRule !== pair.byNode))).toEqual([]);
  });

  test('is what rule and node program agree on together', () => {
    expect(shortest(pairs.filter(pair => (pair.byRule && pair.byNode) !== pair.byDefinition))).toEqual([]);
  });
});
