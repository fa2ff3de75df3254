import * as path from 'node:path';
import { logGroupOf } from './seen';
import type { Ways } from './ways';
import type { LoggedLine } from '../../testbed/aws/metric-filters';
import type { Deployment } from '../../testbed/deployment';
import type { Node, NodeProcess } from '../../testbed/engines';
import { waitFor } from '../../testbed/engines';
import type { Bed } from '../nodes/real-nodes';

/** A case's one node: what runs on it, and what it has reported. */
export abstract class NodeScene {
  abstract readonly bed: Bed;
  abstract readonly ways: Ways;
  abstract readonly node: Node;
  abstract readonly deployment: Deployment;

  /** What the node has reported to the prefetcher's log group. */
  async log(): Promise<LoggedLine[]> {
    const events = await this.bed.testbed.logs.events(logGroupOf(this.deployment.plane.template));
    return events.map(({ stream, timestamp, message }) => ({ stream, timestamp, line: JSON.parse(message) }));
  }

  /** The node program's processes. */
  programs(): NodeProcess[] {
    return this.node.processes().filter(({ argv }) => path.basename(argv[0] ?? '').startsWith('python3') && argv.includes('-'));
  }

  /** The processes that pull for it. */
  pulls(): NodeProcess[] {
    return this.node.processes().filter(({ argv }) => argv[0] === 'curl' && argv.join(' ').includes('/PullImage'));
  }

  daemons(name: 'containerd' | 'kubelet'): NodeProcess[] {
    return this.node.processes().filter(({ argv }) => path.basename(argv[0] ?? '') === name);
  }

  async untilSeen(what: () => boolean): Promise<void> {
    await waitFor(`this on ${this.node.name}: ${what}`, () => what() || undefined, 60);
  }

  /** Until containerd is in the middle of a layer. */
  async inTheMiddle(): Promise<void> {
    await waitFor('a layer to stand still', () => this.pulls().length > 0 && this.ways.registry.stalled > 0 || undefined, 60);
  }

  on(script: string): Promise<string> {
    return on(this.node, script);
  }
}

export async function on(node: Node, script: string): Promise<string> {
  const { exitCode, stdout, stderr } = await node.exec(['sh', '-ec', script]);
  if (exitCode !== 0) {
    throw new Error(`'${script}' failed on ${node.name}: ${stderr || stdout}`);
  }
  return stdout.trim();
}

export const isManifest = ({ path: where }: { path: string }) => where.includes('/manifests/');
export const isLayer = ({ path: where }: { path: string }) => where.includes('/blobs/');
