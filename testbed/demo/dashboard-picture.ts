import { readable, shown } from './readable';
import { datapointsOf } from './watched';
import type { Template } from '../aws';
import type { Row } from '../aws/logs-insights';
import { runQuery } from '../aws/logs-insights';
import type { Datapoint } from '../aws/metric-filters';
import type { ReportLine } from '../report';

interface Widget {
  readonly type: 'metric' | 'log' | 'text';
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
  readonly properties: Record<string, any>;
}

interface Series {
  readonly label: string;
  readonly color: string;
  readonly statistic: string;
  readonly points: Datapoint[];
}

/** Pixels of one unit of CloudWatch's grid, which is 24 wide. */
const UNIT = 50;
const GAP = 6;
const COLORS = ['#1f77b4', '#ff7f0e', '#2ca02c', '#9467bd'];

/** The dashboard of a template as CloudWatch would show it, with the data of a run: an SVG. */
export function dashboardPicture(template: Template, lines: ReportLine[]): string {
  const datapoints = datapointsOf(template, lines);
  const [dashboard] = template.resources('AWS::CloudWatch::Dashboard');
  const widgets: Widget[] = JSON.parse(dashboard.properties.DashboardBody).widgets;
  const height = Math.max(...widgets.map(widget => widget.y + widget.height)) * UNIT;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${24 * UNIT} ${height}" font-family="Helvetica, Arial, sans-serif" font-size="13">`,
    `<rect width="${24 * UNIT}" height="${height}" fill="#f2f3f3"/>`,
    ...widgets.map(widget => frame(widget, contents(widget, datapoints, lines))),
    '</svg>',
    '',
  ].join('\n');
}

function frame({ x, y, width, height, properties }: Widget, inner: string[]): string {
  const title = properties.title ? [text(12, 22, properties.title, 'font-weight="bold"')] : [];
  return [
    `<svg x="${x * UNIT + GAP}" y="${y * UNIT + GAP}" width="${width * UNIT - 2 * GAP}" height="${height * UNIT - 2 * GAP}">`,
    '<rect width="100%" height="100%" rx="6" fill="#ffffff" stroke="#d5dbdb"/>', ...title, ...inner, '</svg>',
  ].join('\n');
}

function contents(widget: Widget, datapoints: Datapoint[], lines: ReportLine[]): string[] {
  const { properties } = widget;
  if (widget.type === 'text') {
    return [text(12, 26, properties.markdown.replace(/^# /, ''), 'font-size="18"')];
  }
  if (widget.type === 'log') {
    return table(widget, runQuery(properties.query.replace(/^SOURCE [^|]*\|/, ''), lines));
  }
  const series = seriesOf(properties.metrics, datapoints);
  return properties.view === 'singleValue' ? numbers(series) : graph(widget, series);
}

/** CloudWatch writes `.` for what is as in the row above. */
function seriesOf(rows: any[][], datapoints: Datapoint[]): Series[] {
  let above: any[] = [];
  return rows.map((row, index) => {
    above = row.map((part, at) => part === '.' ? above[at] : part);
    const [, name] = above;
    const { label = name, color = COLORS[index % COLORS.length], stat = 'Average' } = above.at(-1);
    return { label, color, statistic: stat, points: datapoints.filter(point => point.name === name) };
  });
}

function aggregated(points: Datapoint[], statistic: string): number {
  const values = points.map(({ value }) => value);
  const sum = values.reduce((all, value) => all + value, 0);
  switch (statistic) {
    case 'Sum': return sum;
    case 'Maximum': return Math.max(...values);
    case 'Average': return sum / values.length;
    default: throw new Error(`the picture knows Sum, Maximum and Average, not ${statistic}`);
  }
}

function numbers(series: Series[]): string[] {
  return series.flatMap(({ label, color, statistic, points }, index) => {
    const value = points.length === 0 ? '–' : readable(aggregated(points, statistic));
    return [text(16, 62 + index * 46, value, `font-size="26" fill="${color}"`), text(18, 80 + index * 46, label, 'fill="#545b64"')];
  });
}

/** Each value where it happened, the highest at the top. */
function graph({ width, height, properties }: Widget, series: Series[]): string[] {
  const [right, bottom] = [width * UNIT - 40, height * UNIT - 62];
  const all = series.flatMap(({ points }) => points);
  const most = Math.max(1e-9, ...all.map(({ value }) => value));
  const [first, last] = [Math.min(...all.map(({ timestamp }) => timestamp)), Math.max(...all.map(({ timestamp }) => timestamp))];
  const xOf = (timestamp: number) => 60 + (right - 80) * (last === first ? 0.5 : (timestamp - first) / (last - first));
  const yOf = (value: number) => bottom - (bottom - 45) * value / most;
  return [
    `<path d="M50 40V${bottom}H${right}" fill="none" stroke="#aab7b8"/>`,
    ...all.length === 0 ? [] : [text(8, 48, readable(most), 'font-size="11" fill="#545b64"')],
    text(8, bottom, '0', 'font-size="11" fill="#545b64"'),
    ...series.flatMap(({ color, points }) => points.map(({ timestamp, value }) =>
      `<circle cx="${xOf(timestamp).toFixed(1)}" cy="${yOf(value).toFixed(1)}" r="4" fill="${color}"/>`)),
    ...series.map(({ label, color }, index) => {
      const before = series.slice(0, index).reduce((length, one) => length + one.label.length + 5, 0);
      return text(60 + before * 7, bottom + 30, `● ${label}`, `fill="${color}"`);
    }),
    text(right, 22, properties.yAxis?.left?.label ?? '', 'text-anchor="end" fill="#545b64"'),
  ];
}

function table({ width, height }: Widget, rows: Row[]): string[] {
  const columns = [...new Set(rows.flatMap(row => Object.keys(row)))];
  const step = (width * UNIT - 40) / Math.max(1, columns.length);
  const room = Math.floor(step / 8);
  const cell = (row: number, column: number, value: string, attributes = '') => text(12 + column * step, 48 + row * 20, shortened(value, room), attributes);
  return [
    ...columns.map((column, index) => cell(0, index, column, 'fill="#545b64"')),
    ...rows.slice(0, Math.floor((height * UNIT - 80) / 20)).flatMap((row, index) =>
      columns.map((column, at) => cell(index + 1, at, shown(column, row[column])))),
    ...rows.length === 0 ? [text(12, 48, 'nothing', 'fill="#545b64"')] : [],
  ];
}

function shortened(value: string, room: number): string {
  return value.length > room ? `${value.slice(0, Math.max(1, room - 1))}…` : value;
}

function text(x: number, y: number, value: string, attributes = ''): string {
  return `<text x="${x.toFixed(1)}" y="${y}" ${attributes}>${value.replace(/&/g, '&amp;').replace(/</g, '&lt;')}</text>`;
}
