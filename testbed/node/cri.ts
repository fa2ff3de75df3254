import { CONTAINERD_SOCKET } from './node-files';
import { engine } from '../engines/cache';
import type { CommandResult } from '../engines/processes';

export interface CriImage {
  readonly id: string;
  readonly repoTags: string[];
  readonly repoDigests: string[];
  readonly size: number;
  readonly pinned: boolean;
}

export interface CriCredentials {
  readonly username: string;
  readonly password: string;
}

/** Runs a program inside the node. */
export type Exec = (argv: string[], options?: { env?: Record<string, string>; input?: string }) => Promise<CommandResult>;

/** The container runtime interface of a node, through crictl. */
export class Cri {
  constructor(private readonly exec: Exec) {}

  async ready(): Promise<boolean> {
    return (await this.crictl(['version'])).exitCode === 0;
  }

  async images(): Promise<CriImage[]> {
    return parseImages(await this.ok(['images', '-o', 'json']));
  }

  async imageStatus(reference: string): Promise<CriImage | undefined> {
    const result = await this.crictl(['inspecti', '-o', 'json', reference]);
    if (result.exitCode !== 0) {
      if (/no such image/.test(result.stderr)) {
        return undefined;
      }
      throw new Error(`crictl inspecti ${reference} failed: ${result.stderr.trim()}`);
    }
    return toImage((JSON.parse(result.stdout) as { status: RawImage }).status);
  }

  async pull(reference: string, credentials?: CriCredentials): Promise<void> {
    // By environment: an argument would show the password in the process list.
    await this.ok(['pull', reference], credentials ? { CRICTL_CREDS: `${credentials.username}:${credentials.password}` } : {});
  }

  /** When a container started, in milliseconds since 1970. */
  async startedAt(containerId: string): Promise<number> {
    const { status } = JSON.parse(await this.ok(['inspect', '-o', 'json', containerId])) as { status: { startedAt: string } };
    return Date.parse(status.startedAt);
  }

  async removeImage(reference: string): Promise<void> {
    await this.ok(['rmi', reference]);
  }

  /** Whether any pod runs. */
  async hasReadySandboxes(): Promise<boolean> {
    return (await this.ok(['pods', '--state', 'ready', '--quiet'])).trim() !== '';
  }

  async removeSandboxes(): Promise<void> {
    await this.ok(['rmp', '--all', '--force']);
  }

  private async ok(args: string[], env: Record<string, string> = {}): Promise<string> {
    const result = await this.crictl(args, env);
    if (result.exitCode !== 0) {
      throw new Error(`crictl ${args.join(' ')} failed: ${result.stderr.trim().slice(-2000)}`);
    }
    return result.stdout;
  }

  private crictl(args: string[], env: Record<string, string> = {}): Promise<CommandResult> {
    const endpoint = `unix://${CONTAINERD_SOCKET}`;
    return this.exec([engine('crictl'), '--runtime-endpoint', endpoint, '--image-endpoint', endpoint, '--timeout', '600s', ...args], { env });
  }
}

/** Reads what `crictl images -o json` prints. */
export function parseImages(json: string): CriImage[] {
  const { images } = JSON.parse(json) as { images?: RawImage[] };
  return (images ?? []).map(toImage);
}

interface RawImage {
  readonly id: string;
  readonly repoTags?: string[];
  readonly repoDigests?: string[];
  readonly size: string;
  readonly pinned?: boolean;
}

function toImage(raw: RawImage): CriImage {
  return { id: raw.id, repoTags: raw.repoTags ?? [], repoDigests: raw.repoDigests ?? [], size: Number(raw.size), pinned: raw.pinned ?? false };
}
