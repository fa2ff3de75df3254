import { MOST_COLOURS, round, svg, text, WIDTH } from './frame';

const TOP = 56;
const ROW = 18;
const SIDE = 14;
/** What is narrower is left out. */
const NARROWEST = 3;
const LETTER = 6.6;

interface Frame {
  readonly name: string;
  count: number;
  readonly callees: Map<string, Frame>;
}

/** Call stacks, callers first, and how often each was met: as wide as often, callees below their callers. */
export function flameGraph(title: string, subtitle: string, stacks: Map<string, number>): string {
  const all: Frame = { name: 'all', count: 0, callees: new Map() };
  for (const [stack, count] of stacks) {
    add(all, stack.split(';'), count);
  }
  const drawn: string[] = [];
  const depth = draw(all, SIDE, 0, (WIDTH - 2 * SIDE) / all.count, drawn);
  return svg(TOP + depth * ROW + 16, title, [text(14, 22, title, 'title'), text(14, 40, subtitle, 'small'), ...drawn]);
}

function add(frame: Frame, callees: string[], count: number): void {
  frame.count += count;
  const [name, ...rest] = callees;
  if (name === undefined) {
    return;
  }
  const callee = frame.callees.get(name) ?? { name, count: 0, callees: new Map() };
  frame.callees.set(name, callee);
  add(callee, rest, count);
}

/** How many rows it took. */
function draw(frame: Frame, x: number, row: number, unit: number, drawn: string[]): number {
  const width = frame.count * unit;
  if (width < NARROWEST) {
    return row;
  }
  const y = TOP + row * ROW;
  const letters = Math.floor((width - 6) / LETTER);
  drawn.push(`<rect x="${round(x)}" y="${y}" width="${round(Math.max(1, width - 1))}" height="${ROW - 2}" class="f${colour(frame.name)}" opacity="0.35"/>`);
  if (letters > 3) {
    drawn.push(text(x + 3, y + 12, frame.name.length > letters ? `${frame.name.slice(0, letters - 1)}…` : frame.name));
  }
  let deepest = row + 1;
  for (const callee of [...frame.callees.values()].sort((left, right) => right.count - left.count)) {
    deepest = Math.max(deepest, draw(callee, x, row + 1, unit, drawn));
    x += callee.count * unit;
  }
  return deepest;
}

function colour(name: string): number {
  return [...name].reduce((sum, letter) => sum + letter.charCodeAt(0), 0) % MOST_COLOURS;
}
