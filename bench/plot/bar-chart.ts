import { line, svg, text, WIDTH, round } from './frame';

export interface Bar {
  readonly name: string;
  readonly value: number;
  /** What is written behind the bar. */
  readonly label: string;
  /** Where a line is drawn: what must be reached. */
  readonly limit?: number;
  readonly colour: number;
}

export interface BarChart {
  readonly title: string;
  readonly subtitle: string;
  readonly bars: Bar[];
}

const TOP = 56;
const LEFT = 330;
const BAR_HEIGHT = 26;
const MOST = 300;

/** Bars from left to right, one below the other. */
export function barChart({ title, subtitle, bars }: BarChart): string {
  const longest = Math.max(...bars.map(({ value, limit }) => Math.max(value, limit ?? 0)));
  const length = (value: number) => MOST * value / longest;
  return svg(TOP + bars.length * BAR_HEIGHT + 16, title, [
    text(14, 22, title, 'title'),
    text(14, 40, subtitle, 'small'),
    ...bars.flatMap(({ name, value, label, limit, colour }, at) => {
      const y = TOP + at * BAR_HEIGHT;
      return [
        text(LEFT - 10, y + 14, name, 'end'),
        `<rect x="${LEFT}" y="${y + 2}" width="${round(length(value))}" height="16" class="f${colour}"/>`,
        ...(limit === undefined ? [] : [line(LEFT + length(limit), y - 2, LEFT + length(limit), y + 22, 'limit')]),
        text(Math.min(WIDTH - 100, LEFT + 8 + Math.max(length(value), limit === undefined ? 0 : length(limit))), y + 14, label, 'small'),
      ];
    }),
  ]);
}
