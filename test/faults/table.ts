import * as fs from 'node:fs';
import * as path from 'node:path';
import type { Row } from './run-case';

const FILE = path.join(__dirname, '..', '..', 'docs', 'faults.md');

const HEADING = `# What happens when things break

Made by \`npm run test:faults\`, which puts each of these faults on a real node (containerd, kubelet, registry, credential plugin; the AWS APIs
are moto's), runs a push or a reconcile as the synthesised template has it, takes the fault away, and runs it again. For the boot gate it boots a
node (systemd, cloud-init) with the fault, whose kubelet must start in any case, and has it join. Every row fails the run when the
node does not say what is expected, does not recover, or leaves something behind: a process, a lock, a download, lease or unfinished snapshot of
containerd's, or a file. Seconds are those of a busy machine with two processors; runs that hang were given 60 s.

- **Run**: the status of the command in Systems Manager; of a boot gate, whose \`maxWait\` is 30 s here, when the kubelet started.
- **What it says**: outcomes and reasons of its report, shortened.
- **Metrics** and **Alarm**: what the lines in the log group make of it until it is recovered, and which of \`addAlarms()\` goes off.
- **Query**: what the saved query \`failures-by-reason\` answers; of a boot gate, \`what-boot-gates-waited-for\`, too. A gate that could not report itself is
  reported by the run on joining.
- **Recovered**: seconds from when the fault was gone until the image was there, by the next run; *same run* where the one that met the fault brought
  it, with the seconds that took in all.
`;

const HEADER = ['Fault', 'Run', 'What it says', 'Metrics', 'Alarm', 'Query', 'Recovered', 'Left behind'];

/** The table as Markdown. */
export function render(rows: readonly Row[]): string {
  return `${HEADING}\n${toLine(HEADER)}\n${toLine(HEADER.map(() => '---'))}\n${rows.map(toRow).join('\n')}\n`;
}

/** One line of it. */
export function toRow(row: Row): string {
  return toLine([
    row.fault,
    row.status,
    shorten(row.said),
    Object.entries(row.metrics).map(([name, count]) => `${name} ${count}`).join(', ') || 'none',
    row.alarms.join(', ') || 'none',
    [row.answers.length > 1 ? `${row.answers.length} reasons` : row.answers.length === 1 ? 'this reason' : 'no answer', ...row.gates?.map(gate => `gate: ${shorten(gate)}`) ?? []].join('; '),
    row.sameRun ? `same run (${row.recoveredAfter.toFixed(0)} s)` : `${row.recoveredAfter.toFixed(1)} s`,
    row.left.join(', ') || 'nothing',
  ]);
}

/** These rows are the table in the documentation, if this run had one for every fault. */
export function keep(rows: readonly Row[], faults: readonly string[]): void {
  const known = new Map(rows.map(row => [row.fault, row]));
  if (faults.every(fault => known.has(fault))) {
    fs.writeFileSync(FILE, render(faults.map(fault => known.get(fault)!)));
  }
}

/** The faults that the table in the documentation has rows for. */
export function documentedFaults(): string[] {
  return fs.readFileSync(FILE, 'utf8').split('\n').filter(line => line.startsWith('| ')).slice(2)
    .map(line => line.split(/(?<!\\)\|/)[1].trim().replace(/\\\|/g, '|'));
}

/** Without what differs from run to run. */
function shorten(said: string): string {
  const plain = said
    .replace(/\d{12}\.dkr\.ecr\.[\w.-]+\/[\w./-]+(:[\w.-]+|@sha256:[0-9a-f]+)?/g, 'IMAGE')
    .replace(/http:\/\/(\w+)\.internal:\d+[^\s";]*(?=[\s";]|: )/g, 'http://$1/…')
    .replace(/(\w+)\.internal:\d+/g, '$1')
    .replace(/\.\.\.[\w./-]*\/(gate-)?fault-\d+(:\w+)?/g, '...IMAGE')
    .replace(/\/var\/lib\/amazon\/ssm\/\S+\/_script\.sh/g, 'SCRIPT')
    .replace(/Stack\d+-\w+-\w+/g, 'DOCUMENT')
    .replace(/127\.[\d.]+:\d+/g, 'ADDRESS')
    .replace(/within [\d.]+ s\b/g, 'within … s')
    .replace(/sha256:[0-9a-f]{64}/g, 'sha256:…');
  return plain.length > 300 ? `${plain.slice(0, 299)}…` : plain;
}

function toLine(cells: readonly string[]): string {
  return `| ${cells.map(escape).join(' | ')} |`;
}

function escape(cell: string): string {
  return cell.replace(/\|/g, '\\|').replace(/</g, '&lt;').replace(/\n/g, ' ');
}
