import * as fs from 'node:fs';
import * as path from 'node:path';
import type { CriImage } from './cri';
import { parseImages } from './cri';
import { gateNodeFiles, gateNodeLinks, IMAGES_AT_KUBELET_START } from './gate-node-files';
import type { NodeProps } from './node';
import { Node } from './node';
import { CACHE_FOLDER } from '../engines/cache';
import { runOk, waitFor } from '../engines/processes';
import type { Workspace } from '../engines/workspace';

export interface GateNodeProps extends NodeProps {
  /** As EC2 hands it to the instance. */
  readonly userData: string;
}

/** What systemd says of a service; times are milliseconds since an arbitrary moment, 0 is never. */
export interface ServiceState {
  /** active, inactive, failed, … */
  readonly state: string;
  readonly processStarted: number;
  readonly processEnded: number;
  readonly exitCode: number;
}

const BOOT_SECONDS = 180;

/**
 * A node that boots as on EC2: systemd is its first process, cloud-init runs the user data, then nodeadm's service
 * restarts containerd and starts the kubelet.
 */
export class GateNode extends Node {
  constructor(workspace: Workspace, private readonly gateProps: GateNodeProps) {
    super(workspace, gateProps);
    // Within the node's own groups.
    this.podsControlGroup = '/pods';
  }

  /** Boots, until the kubelet has started (or can't). */
  async start(): Promise<void> {
    await this.boot();
    await waitFor(`${this.name} to have booted`, async () => {
      const { state, processEnded } = await this.service('nodeadm-run');
      return processEnded > 0 && ['inactive', 'failed'].includes(state) || undefined;
    }, BOOT_SECONDS, () => this.readLog('cloud-init-output.log'));
    const kubelet = await this.service('kubelet');
    if (kubelet.state !== 'active') {
      throw new Error(`the kubelet of ${this.name} is ${kubelet.state}: ${await this.journal('kubelet')}${await this.journal('containerd')}`);
    }
    await this.kubeletReady();
  }

  /**
   * Boots again, from whatever it is at: what was on its disks stays, what it had in memory goes. Whoever waits for it to have booted
   * goes on waiting.
   */
  async restart(): Promise<void> {
    await this.powerOff();
    const disk = path.join(this.folder, 'image-disk');
    await waitFor(`the disk of ${this.name} to be free`, async () => (await runOk(['losetup', '--associated', disk])) === '' || undefined);
    for (const name of ['run', 'tmp']) {
      fs.rmSync(path.join(this.folder, name), { recursive: true });
      fs.mkdirSync(path.join(this.folder, name));
    }
    await this.powerOn();
  }

  async service(name: string): Promise<ServiceState> {
    const properties = await this.systemctl('show', name, '--property=ActiveState,ExecMainStartTimestampMonotonic,ExecMainExitTimestampMonotonic,ExecMainStatus');
    const values = Object.fromEntries(properties.trim().split('\n').map(line => line.split(/=(.*)/)));
    return {
      state: values.ActiveState,
      processStarted: Number(values.ExecMainStartTimestampMonotonic) / 1000,
      processEnded: Number(values.ExecMainExitTimestampMonotonic) / 1000,
      exitCode: Number(values.ExecMainStatus),
    };
  }

  /** What a service and systemd said about it. */
  async journal(service: string): Promise<string> {
    return (await this.exec(['journalctl', '--no-pager', '--output=cat', `--unit=${service}`], { timeoutSeconds: 30 })).stdout;
  }

  /** What the CRI had when the kubelet last started. */
  imagesAtKubeletStart(): CriImage[] {
    return parseImages(fs.readFileSync(this.hostPath(IMAGES_AT_KUBELET_START), 'utf8'));
  }

  async startContainerd(): Promise<void> {
    await this.systemctl('start', 'containerd');
  }

  async stopContainerd(): Promise<void> {
    await this.systemctl('stop', 'containerd');
  }

  async startKubelet(): Promise<void> {
    await this.systemctl('start', 'kubelet');
    await this.kubeletReady();
  }

  async stopKubelet(): Promise<void> {
    await this.systemctl('stop', 'kubelet');
  }

  async restartKubelet(): Promise<void> {
    await this.systemctl('restart', 'kubelet');
    await this.kubeletReady();
  }

  protected kubeletLog(): Promise<string> {
    return this.journal('kubelet');
  }

  protected files(): Record<string, string> {
    return gateNodeFiles(this.settings, this.gateProps.userData);
  }

  protected links(): Record<string, string> {
    return gateNodeLinks(this.settings);
  }

  protected bootCommand(): string[] {
    const script = (name: string) => path.join(__dirname, name);
    return [
      script('gate-node-groups.sh'), this.controlGroup,
      'bash', script('gate-node-boot.sh'), this.folder, CACHE_FOLDER, this.name, String(this.imageDiskMegabytes),
    ];
  }

  private async systemctl(...args: string[]): Promise<string> {
    const { exitCode, stdout, stderr } = await this.exec(['systemctl', ...args], { timeoutSeconds: 120 });
    if (exitCode !== 0) {
      throw new Error(`systemctl ${args.join(' ')} failed on ${this.name}: ${stderr.trim()}`);
    }
    return stdout;
  }

  private readLog(name: string): string {
    const file = path.join(this.folder, 'var/log', name);
    return fs.existsSync(file) ? fs.readFileSync(file, 'utf8').slice(-2000) : '';
  }
}
