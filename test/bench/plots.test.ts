import { barChart } from '../../bench/plot/bar-chart';
import type { LineChart } from '../../bench/plot/line-chart';
import { lineChart } from '../../bench/plot/line-chart';

const CHART: LineChart = {
  title: 'Nodes & <time>',
  x: { label: 'nodes', scale: 'log', ticks: [1, 10, 100] },
  y: { label: 'time', scale: 'linear', ticks: [0, 50, 100], format: value => `${value} s` },
  series: [{ name: 'a "quoted" one', points: [[1, 0], [10, 50], [100, 100], [1000, 50]] }],
  limits: [{ name: 'limit', value: 75 }],
};

/** Every element is closed in its turn, and nothing is left of what was put in as text. */
function wellFormed(svg: string): boolean {
  const open: string[] = [];
  for (const [, closing, name, selfClosing] of svg.matchAll(/<(\/?)([a-z]+)\b[^<>]*?(\/?)>/g)) {
    if (closing && open.pop() !== name) {
      return false;
    }
    if (!closing && !selfClosing) {
      open.push(name);
    }
  }
  return open.length === 0 && !/[<&]/.test(svg.replace(/<[^<>]*>/g, '').replace(/&#\d+;/g, ''));
}

test('plots are well formed, whatever their words are', () => {
  expect(wellFormed(lineChart(CHART))).toBe(true);
  expect(wellFormed(barChart({ title: 'a < b', subtitle: '&', bars: [{ name: '<x>', value: 1, label: '1×', limit: 2, colour: 0 }] }))).toBe(true);
  expect(wellFormed('<svg><text>a & b</text></svg>')).toBe(false);
  expect(wellFormed('<svg><text></svg></text>')).toBe(false);
});

test('points are where their values are, and those past an end of an axis are left out', () => {
  const [, points] = /<polyline class="line s0" points="([^"]*)"/.exec(lineChart(CHART))!;
  const [first, middle, last, ...rest] = points.split(' ').map(point => point.split(',').map(Number));
  expect(rest).toEqual([]);
  expect(middle).toEqual([(first[0] + last[0]) / 2, (first[1] + last[1]) / 2]);
  expect(first[1]).toBeGreaterThan(last[1]);
});

test('a plot has as many lines as there are colours', () => {
  expect(() => lineChart({ ...CHART, series: Array(9).fill(CHART.series[0]) })).toThrow('at most 7 lines, got 9');
});
