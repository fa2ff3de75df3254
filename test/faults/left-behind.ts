import * as fs from 'node:fs';
import * as path from 'node:path';
import type { Node } from '../../testbed/engines';
import { waitFor } from '../../testbed/engines';

const STATE = '/run/cdk-eks-image-prefetcher';
/** What the node program keeps until the node boots again. */
const KEPT = ['lock', 'joined', 'reported'].map(name => `file ${STATE}/${name}`);
/** Facts about images; empty once these are there. */
const MEMORIES = ['foreign.json', 'too-large.json'].map(name => `${STATE}/${name}`);
const INGESTS = '/var/lib/containerd/io.containerd.content.v1.content/ingest';
/** Folders that others write: containerd, the kubelet, the agent, daemons that log, systemd, cloud-init. */
const OF_OTHERS = [
  '/run/containerd', '/run/lock', '/var/lib/amazon', '/var/lib/kubelet', '/var/log', '/usr',
  '/run/systemd', '/run/log', '/run/udev', '/run/cloud-init', '/var/lib/systemd', '/var/lib/cloud',
];

/** Everything on a node that a run could leave behind, a line each. */
export type Inventory = readonly string[];

export async function takeInventory(node: Node): Promise<Inventory> {
  return [...processes(node), ...await held(node), ...files(node), ...await heldLock(node)];
}

/** What is there now and was not before; containerd frees what it no longer needs a little later. */
export async function leftBehind(node: Node, before: Inventory, expected = /^$/): Promise<string[]> {
  let left: string[] = [];
  await waitFor('nothing to be left', async () => {
    left = without(await takeInventory(node), [...before, ...KEPT]);
    return left.every(line => expected.test(line)) || undefined;
  }, 20).catch(() => undefined);
  return left;
}

/** Processes that ran on when the run had ended, and the lock: asked before a fault is healed. */
export async function stillRunning(node: Node, before: Inventory): Promise<string[]> {
  let left: string[] = [];
  const daemons = /^process (\/usr\/bin\/)?(containerd|kubelet)/;
  await waitFor('processes to end', async () => {
    left = without([...processes(node), ...await heldLock(node)], before).filter(line => !daemons.test(line));
    return left.length === 0 || undefined;
  }, 5).catch(() => undefined);
  return left;
}

function processes(node: Node): string[] {
  return node.processes().filter(({ argv }) => argv.length > 0).map(({ argv }) => `process ${anyNode(node, argv.join(' ')).slice(0, 300)}`);
}

/** Downloads, leases and unfinished snapshots of containerd. */
async function held(node: Node): Promise<string[]> {
  const list = async (what: string, ...args: string[]) => {
    const { exitCode, stdout, stderr } = await node.exec(['ctr', '--namespace', 'k8s.io', ...args]);
    if (exitCode !== 0) {
      throw new Error(`ctr ${args.join(' ')}: ${stderr}`);
    }
    return stdout.split('\n').slice(1).filter(line => line.trim() !== '').map(line => `${what} ${line.trim()}`);
  };
  const snapshots = await list('snapshot', 'snapshots', 'ls');
  const ingests = fs.existsSync(node.hostPath(INGESTS)) ? fs.readdirSync(node.hostPath(INGESTS)) : [];
  return [
    ...await list('download', 'content', 'active'),
    ...await list('lease', 'leases', 'ls'),
    ...snapshots.filter(line => line.endsWith('Active')),
    ...ingests.map(name => `partial download ${name}`),
  ];
}

function files(node: Node): string[] {
  const found: string[] = [];
  // A node keeps this to itself.
  const { folder: own } = node as unknown as { folder: string };
  for (const [top, below] of [[path.join(own, 'upper'), ''], [node.hostPath('/run'), '/run'], [node.hostPath('/tmp'), '/tmp']]) {
    const walk = (folder: string) => {
      for (const entry of fs.readdirSync(path.join(top, folder), { withFileTypes: true })) {
        const name = path.join(folder, entry.name);
        if (OF_OTHERS.includes(below + name)) {
          continue;
        }
        if (entry.isDirectory()) {
          walk(name);
        } else {
          found.push(below + name);
        }
      }
    };
    walk('/');
  }
  return found.map(file => !MEMORIES.includes(file) ? `file ${file}` : `${file} remembers ${fs.readFileSync(node.hostPath(file), 'utf8')}`)
    .filter(line => !line.endsWith('remembers {}')).map(line => anyNode(node, line));
}

/** Without what differs from node to node. */
function anyNode(node: Node, line: string): string {
  return line.split(node.instanceId).join('INSTANCE').split(node.name).join('NODE').replace(/\b(port=|:)\d{4,5}\b/g, '$1PORT');
}

async function heldLock(node: Node): Promise<string[]> {
  if (!fs.existsSync(node.hostPath(`${STATE}/lock`))) {
    return [];
  }
  const { exitCode } = await node.exec(['flock', '--nonblock', `${STATE}/lock`, 'true']);
  return exitCode === 0 ? [] : [`lock ${STATE}/lock is held`];
}

/** The lines of the first list that the second does not have, as often as they occur. */
function without(lines: readonly string[], others: readonly string[]): string[] {
  const left = [...others];
  return lines.filter(line => {
    const at = left.indexOf(line);
    if (at >= 0) {
      left.splice(at, 1);
    }
    return at < 0;
  });
}
