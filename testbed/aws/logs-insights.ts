import { Refused } from './errors';
import type { LoggedLine } from './metric-filters';

export type Row = Record<string, unknown>;
type Expression = (row: Row) => any;

/**
 * Runs a query of CloudWatch Logs Insights: `filter`, `fields`, `stats … by`, `sort`, `limit`, with and, or, not, comparisons, `in`, arithmetic,
 * `ispresent`, `coalesce`, and the aggregates `count`, `count_distinct`, `sum`, `avg`, `min`, `max`, `latest`. Whatever else there is, it refuses:
 * `parse`, `dedup`, `bin()`, `like`, dates.
 *
 * @see https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/CWL_QuerySyntax.html
 */
export function runQuery(query: string, lines: readonly LoggedLine[]): Row[] {
  let rows: Row[] = lines.map(({ timestamp, stream, line }) =>
    ({ ...flatten(line), '@timestamp': timestamp, '@logStream': stream, '@message': JSON.stringify(line) }));
  let shown: string[] | undefined;
  for (const command of query.split('|').map(part => part.trim())) {
    const parser = new Parser(query, command);
    const name = parser.take();
    switch (name) {
      case 'filter': {
        const condition = parser.expression();
        rows = rows.filter(row => condition(row));
        break;
      }
      case 'fields': {
        const fields = parser.list(() => parser.named());
        rows = rows.map(row => ({ ...row, ...Object.fromEntries(fields.map(({ as, value }) => [as, value(row)])) }));
        shown = [...shown ?? [], ...fields.map(({ as }) => as)];
        break;
      }
      case 'stats': {
        const aggregates = parser.list(() => parser.aggregate());
        const by = parser.skip('by') ? parser.list(() => parser.take()) : [];
        rows = grouped(rows, by).map(group => ({
          ...Object.fromEntries(by.map(field => [field, group[0]?.[field]])),
          ...Object.fromEntries(aggregates.map(({ as, of }) => [as, of(group)])),
        }));
        shown = [...by, ...aggregates.map(({ as }) => as)];
        break;
      }
      case 'sort': {
        const orders = parser.list(() => ({ field: parser.take(), sign: parser.skip('desc') ? -1 : (parser.skip('asc'), 1) }));
        rows = [...rows].sort((left, right) =>
          orders.map(({ field, sign }) => sign * compare(left[field], right[field])).find(each => each !== 0) ?? 0);
        break;
      }
      case 'limit':
        rows = rows.slice(0, Number(parser.take()));
        break;
      default:
        throw new Refused('Logs Insights', `this stand-in has no command ${name}`, query);
    }
    parser.end();
  }
  return rows.map(row => Object.fromEntries((shown ?? ['@timestamp', '@message']).map(field => [field, row[field]]).filter(([, value]) => value !== undefined)));
}

function flatten(line: Record<string, any>, prefix = ''): Row {
  return Object.assign({}, ...Object.entries(line).map(([name, value]) =>
    value !== null && typeof value === 'object' ? flatten(value, `${prefix}${name}.`) : { [prefix + name]: value }));
}

function grouped(rows: Row[], by: string[]): Row[][] {
  const groups = new Map<string, Row[]>(by.length === 0 ? [['[]', []]] : []);
  for (const row of rows) {
    const key = JSON.stringify(by.map(field => row[field] ?? null));
    groups.set(key, [...groups.get(key) ?? [], row]);
  }
  return [...groups.values()];
}

function compare(left: any, right: any): number {
  if (left === undefined || right === undefined) {
    return Number(left !== undefined) - Number(right !== undefined);
  }
  return left < right ? -1 : left > right ? 1 : 0;
}

const TOKEN = /\s*(!=|<=|>=|[=<>()[\],*/+-]|"(?:[^"\\]|\\.)*"|@?[A-Za-z_][\w.]*|\d+(?:\.\d+)?)/gy;
const OPERATORS: Record<string, (left: any, right: any) => boolean> = {
  '=': (left, right) => left === right,
  '!=': (left, right) => left !== right,
  '<': (left, right) => left < right,
  '>': (left, right) => left > right,
  '<=': (left, right) => left <= right,
  '>=': (left, right) => left >= right,
};

class Parser {
  private readonly tokens: string[] = [];

  constructor(private readonly query: string, command: string) {
    for (let at = 0; at < command.length; at = TOKEN.lastIndex) {
      TOKEN.lastIndex = at;
      const match = TOKEN.exec(command);
      if (!match) {
        return this.refuse(`not understood: ${command.slice(at)}`);
      }
      this.tokens.push(match[1]);
    }
  }

  take(expected?: string): string {
    const token = this.tokens.shift();
    if (token === undefined || (expected && token !== expected)) {
      this.refuse(`${expected ?? 'something'} is expected, not ${token ?? 'the end'}`);
    }
    return token!;
  }

  skip(token: string): boolean {
    if (this.tokens[0] !== token) {
      return false;
    }
    this.tokens.shift();
    return true;
  }

  end(): void {
    if (this.tokens.length > 0) {
      this.refuse(`not understood: ${this.tokens.join(' ')}`);
    }
  }

  list<T>(item: () => T): T[] {
    const items = [item()];
    while (this.skip(',')) {
      items.push(item());
    }
    return items;
  }

  /** `EXPRESSION as NAME`, or a field. */
  named(): { as: string; value: Expression } {
    const [name, next] = this.tokens;
    const value = this.expression();
    if (this.skip('as')) {
      return { as: this.take(), value };
    }
    if (next !== undefined && next !== ',') {
      this.refuse(`name the expression that starts with ${name} by as`);
    }
    return { as: name, value };
  }

  aggregate(): { as: string; of: (group: Row[]) => unknown } {
    const name = this.take();
    this.take('(');
    const value: Expression = this.skip('*') ? () => 1 : this.sum();
    this.take(')');
    this.take('as');
    return { as: this.take(), of: group => this.aggregated(name, group, value) };
  }

  private aggregated(name: string, group: Row[], value: Expression): unknown {
    const values = group.map(value).filter(each => each !== undefined);
    switch (name) {
      case 'count': return values.length;
      case 'count_distinct': return new Set(values).size;
      case 'sum': return values.reduce((all, one) => all + one, 0);
      case 'avg': return values.reduce((all, one) => all + one, 0) / values.length;
      case 'min': return values.reduce((least, one) => one < least ? one : least, values[0]);
      case 'max': return values.reduce((most, one) => one > most ? one : most, values[0]);
      case 'latest': {
        const having = group.filter(row => value(row) !== undefined);
        return having.length === 0 ? undefined : value(having.reduce((newest, row) => (row['@timestamp'] as number) >= (newest['@timestamp'] as number) ? row : newest));
      }
      default: return this.refuse(`this stand-in has no aggregate ${name}`);
    }
  }

  expression(): Expression {
    const parts = [this.conjunction()];
    while (this.skip('or')) {
      parts.push(this.conjunction());
    }
    return parts.length === 1 ? parts[0] : row => parts.some(part => part(row));
  }

  private conjunction(): Expression {
    const parts = [this.comparison()];
    while (this.skip('and')) {
      parts.push(this.comparison());
    }
    return parts.length === 1 ? parts[0] : row => parts.every(part => part(row));
  }

  private comparison(): Expression {
    if (this.skip('not')) {
      const inner = this.comparison();
      return row => !inner(row);
    }
    const left = this.sum();
    if (this.skip('in')) {
      this.take('[');
      const choices = this.list(() => this.sum());
      this.take(']');
      return row => choices.some(choice => choice(row) === left(row));
    }
    const operator = OPERATORS[this.tokens[0]];
    if (!operator) {
      return left;
    }
    this.take();
    const right = this.sum();
    // What is missing is neither equal nor unequal.
    return row => left(row) !== undefined && right(row) !== undefined && operator(left(row), right(row));
  }

  private sum(): Expression {
    let value = this.product();
    for (;;) {
      const left = value;
      if (this.skip('+')) {
        const right = this.product();
        value = row => left(row) + right(row);
      } else if (this.skip('-')) {
        const right = this.product();
        value = row => left(row) - right(row);
      } else {
        return value;
      }
    }
  }

  private product(): Expression {
    let value = this.atom();
    for (;;) {
      const left = value;
      if (this.skip('*')) {
        const right = this.atom();
        value = row => left(row) * right(row);
      } else if (this.skip('/')) {
        const right = this.atom();
        value = row => left(row) / right(row);
      } else {
        return value;
      }
    }
  }

  private atom(): Expression {
    if (this.skip('(')) {
      const inner = this.expression();
      this.take(')');
      return inner;
    }
    const token = this.take();
    if (token.startsWith('"')) {
      return () => JSON.parse(token);
    }
    if (/^\d/.test(token)) {
      return () => Number(token);
    }
    if (!this.skip('(')) {
      return row => row[token];
    }
    const operands = this.list(() => this.expression());
    this.take(')');
    switch (token) {
      case 'ispresent': return row => operands[0](row) !== undefined;
      case 'coalesce': return row => operands.map(operand => operand(row)).find(value => value !== undefined);
      default: return this.refuse(`this stand-in has no function ${token}`);
    }
  }

  private refuse(what: string): never {
    throw new Refused('Logs Insights', what, this.query);
  }
}
