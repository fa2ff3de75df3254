import { line, MOST_COLOURS, round, svg, text } from './frame';

export interface Axis {
  readonly label: string;
  readonly scale: 'linear' | 'log';
  /** Where the axis is marked; the first and the last are its ends. */
  readonly ticks: number[];
  readonly format?: (value: number) => string;
}

export interface Series {
  readonly name: string;
  readonly points: [x: number, y: number][];
}

export interface LineChart {
  readonly title: string;
  readonly x: Axis;
  readonly y: Axis;
  readonly series: Series[];
  /** Horizontal lines to hold the others against. */
  readonly limits?: { readonly name: string; readonly value: number }[];
}

const TOP = 50;
const LEFT = 70;
const PLOT_WIDTH = 500;
const PLOT_HEIGHT = 280;

export function lineChart({ title, x, y, series, limits = [] }: LineChart): string {
  if (series.length > MOST_COLOURS) {
    throw new Error(`a plot has at most ${MOST_COLOURS} lines, got ${series.length}`);
  }
  const across = position(x, LEFT, LEFT + PLOT_WIDTH);
  const up = position(y, TOP + PLOT_HEIGHT, TOP);
  const format = (axis: Axis, value: number) => axis.format?.(value) ?? value.toLocaleString('en');
  return svg(TOP + PLOT_HEIGHT + 60, title, [
    text(LEFT, 22, title, 'title'),
    text(LEFT, TOP - 10, y.label, 'small'),
    ...y.ticks.flatMap(tick => [line(LEFT, up(tick), LEFT + PLOT_WIDTH, up(tick), 'grid'), text(LEFT - 8, up(tick) + 4, format(y, tick), 'end small')]),
    ...x.ticks.map(tick => text(across(tick), TOP + PLOT_HEIGHT + 18, format(x, tick), 'middle small')),
    text(LEFT + PLOT_WIDTH / 2, TOP + PLOT_HEIGHT + 40, x.label, 'middle small'),
    ...limits.flatMap(({ name, value }) => [line(LEFT, up(value), LEFT + PLOT_WIDTH, up(value), 'limit'), text(LEFT + PLOT_WIDTH - 4, up(value) - 5, name, 'end small')]),
    ...series.flatMap(({ name, points }, at) => [
      `<polyline class="line s${at}" points="${inside(points, x, y).map(point => `${round(across(point[0]))},${round(up(point[1]))}`).join(' ')}"/>`,
      line(LEFT + PLOT_WIDTH + 20, TOP + 14 + at * 22, LEFT + PLOT_WIDTH + 40, TOP + 14 + at * 22, `line s${at}`),
      text(LEFT + PLOT_WIDTH + 46, TOP + 18 + at * 22, name),
    ]),
  ]);
}

function position({ scale, ticks }: Axis, from: number, to: number): (value: number) => number {
  const of = scale === 'log' ? Math.log : (value: number) => value;
  const [first, last] = [of(ticks[0]), of(ticks[ticks.length - 1])];
  return value => from + (to - from) * (of(value) - first) / (last - first);
}

/** Points past an end of an axis would be drawn over the labels. */
function inside(points: [number, number][], x: Axis, y: Axis): [number, number][] {
  const within = (value: number, { ticks }: Axis) => value >= ticks[0] && value <= ticks[ticks.length - 1];
  return points.filter(point => within(point[0], x) && within(point[1], y));
}
