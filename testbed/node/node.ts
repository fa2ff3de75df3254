import * as crypto from 'node:crypto';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { removeControlGroups } from './control-groups';
import type { CriImage } from './cri';
import { Cri } from './cri';
import { InstanceMetadata } from './instance-metadata';
import { kubeletArguments } from './kubelet-files';
import type { NodeSettings } from './node-files';
import { nodeFiles, nodeLinks, OLDEST_KUBELET, PAUSE_IMAGE } from './node-files';
import { SOCI_CONFIG, SOCI_SOCKET } from './soci-files';
import type { ContainerStatus, PullPolicy } from './static-pods';
import { STATIC_PODS_FOLDER, StaticPods } from './static-pods';
import { CACHE_FOLDER, engine } from '../engines/cache';
import { buildImage, exportImage } from '../engines/images';
import type { CommandOptions, CommandResult } from '../engines/processes';
import { Daemon, freePort, run, waitFor } from '../engines/processes';
import type { Workspace } from '../engines/workspace';

export interface NodeProps {
  readonly name: string;
  /** Tags of the EC2 instance. */
  readonly tags: Record<string, string>;
  /** The registry (URL) behind each host name. */
  readonly registries: Record<string, string>;
  /** Environment that lets AWS clients on the node reach the AWS API; who they are, the instance metadata says. */
  readonly aws: Record<string, string>;
  readonly region: string;
  /** Size of the node's own file system for images. Only what is used takes room. @default 20000 */
  readonly imageDiskMegabytes?: number;
  /** What the kubelet's configuration has besides. */
  readonly kubeletConfig?: object;
  /** Images are pulled by the SOCI snapshotter, as with nodeadm's FastImagePull. @default false */
  readonly soci?: boolean;
  /** What Auto Scaling wants of the instance, such as `Warmed:Stopped`. @default InService */
  readonly lifecycleState?: string;
  /** Puts something in front of the instance metadata service: given where that answers, says where the node asks. @default - nothing */
  readonly metadataWay?: (endpoint: string) => string;
  /** Which kubelet: `oldest` is that of the oldest version which EKS supports. @default current */
  readonly kubelet?: 'current' | 'oldest';
}

/** What the SSM agent reports of a command. */
export interface ScriptResult {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
  readonly seconds: number;
  readonly timedOut: boolean;
}

/** A pod's start, as its user sees it. */
export interface PodStart {
  /** From the manifest to ready, in milliseconds. */
  readonly ms: number;
  /** Of that, until its container had started: the kubelet notices it at its next look, of which it takes one a second. */
  readonly startedMs: number;
  /** Of that, what the kubelet says the pull took; 0 without one. */
  readonly imageMs: number;
  /** Whether the kubelet had the image pulled. One that is there may be asked for again, without layers. */
  readonly pulled: boolean;
  readonly imageId: string;
  readonly containerId: string;
}

/** What became of a pod, and what the kubelet said about its image. */
export interface PodOutcome extends ContainerStatus {
  /** When its manifest was there, in milliseconds since 1970. */
  readonly began: number;
  readonly ms: number;
  /** The kubelet's events about the image, such as Pulling, Pulled, Failed. */
  readonly events: KubeletEvent[];
}

export interface KubeletEvent {
  readonly reason: string;
  readonly message: string;
}

export interface NodeProcess {
  /** As seen in the node. */
  readonly pid: number;
  readonly argv: string[];
  readonly environment: string[];
}

/** systemd's default for services, which the agent hands on. There is no HOME. */
const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin';

/** A node: its own root file system, processes and containerd, on this machine's kernel and network. */
export class Node {
  readonly name: string;
  readonly tags: Record<string, string>;
  readonly instanceId = `i-${crypto.randomBytes(9).toString('hex').slice(0, 17)}`;
  readonly cri = new Cri((argv, options) => this.exec(argv, options));
  protected readonly folder: string;
  protected settings!: NodeSettings;
  protected readonly controlGroup: string;
  /** Parent of the pods' control groups, as the node sees it. */
  protected podsControlGroup: string;
  private holder?: Daemon;
  /** First process of the node, as this machine sees it. */
  private init = 0;
  private containerd?: Daemon;
  private kubelet?: Daemon;
  private pods = 0;
  private soci?: Daemon;
  private metadata?: InstanceMetadata;
  private readonly staticPods: StaticPods;

  constructor(workspace: Workspace, protected readonly props: NodeProps) {
    if (!/^[a-z0-9][a-z0-9.-]{0,62}$/.test(props.name)) {
      throw new Error(`a node's name must be a host name in lower case, got ${JSON.stringify(props.name)}`);
    }
    this.name = props.name;
    this.tags = props.tags;
    this.folder = workspace.makeFolder(props.name);
    this.controlGroup = `/${workspace.id}/${props.name}`;
    this.podsControlGroup = this.controlGroup;
    this.staticPods = new StaticPods(props.name, () => this.hostPath(STATIC_PODS_FOLDER), () => `http://127.0.0.1:${this.settings.kubeletPorts.readOnly}`);
    workspace.track(this);
  }

  /** Boots: file systems, containerd with its pause image, kubelet. */
  async start(): Promise<void> {
    await this.boot();
    if (this.settings.soci) {
      await this.startSoci();
    }
    await this.startContainerd();
    await this.loadPauseImage();
    await this.startKubelet();
  }

  /** Ends every process of the node and removes its files. */
  async stop(): Promise<void> {
    await this.powerOff();
    await this.metadata?.stop();
    fs.rmSync(this.folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
  }

  /** Runs a script as the SSM agent does: as root, `sh -c` of a script file. */
  async run(script: string, env: Record<string, string> = {}, timeoutSeconds = 3600): Promise<ScriptResult> {
    const folder = `/var/lib/amazon/ssm/${this.instanceId}/document/orchestration/${crypto.randomUUID()}/awsrunShellScript/0.awsrunShellScript`;
    const file = `${folder}/_script.sh`;
    fs.mkdirSync(this.hostPath(folder), { recursive: true });
    fs.writeFileSync(this.hostPath(file), script, { mode: 0o700 });
    return this.exec(['sh', '-c', file], {
      // On EC2 the program finds endpoints and the role by itself.
      env: { AWS_SSM_REGION_NAME: this.props.region, AWS_SSM_INSTANCE_ID: this.instanceId, ...this.settings.aws, ...env },
      timeoutSeconds,
    });
  }

  /** Has the kubelet start a pod, and waits until it is ready. With `pull` false it may not pull. */
  async startPod(image: string, options: { pull: boolean }): Promise<PodStart> {
    const outcome = await this.tryPod(image, options.pull ? 'IfNotPresent' : 'Never');
    if (!outcome.ready) {
      throw new Error(`the container of ${image} on ${this.name} should run, but is ${outcome.waiting}: ${outcome.message}`);
    }
    const pulls = outcome.events.map(({ message }) => /^Successfully pulled image .* in (\S+) \(/.exec(message)?.[1]).filter(text => text !== undefined);
    return {
      ms: outcome.ms,
      startedMs: await this.cri.startedAt(outcome.containerId) - outcome.began,
      imageMs: pulls.reduce((sum, text) => sum + milliseconds(text), 0),
      pulled: pulls.length > 0,
      imageId: outcome.imageId,
      containerId: outcome.containerId,
    };
  }

  /** Has the kubelet start a pod, and waits until it is ready or has no image. */
  async tryPod(image: string, pullPolicy: PullPolicy): Promise<PodOutcome> {
    const name = `pod-${++this.pods}`;
    const started = Date.now();
    this.staticPods.create(name, image, pullPolicy);
    const status = await waitFor(`the kubelet of ${this.name} to start ${image}`, async () => {
      const now = await this.staticPods.status(name);
      return now?.ready || /^(ErrImage|ImagePull|InvalidImage|CreateContainer|RunContainer)/.test(now?.waiting ?? '') ? now : undefined;
    }, 300, () => this.kubelet?.logTail ?? '');
    const ms = Date.now() - started;
    return { ...status, began: started, ms, events: imageEvents(await this.kubeletLog(), `${name}-${this.name}`) };
  }

  /** Has the kubelet end all pods, and removes what is left of them; images stay. */
  async removePods(): Promise<void> {
    await this.staticPods.removeAll();
    // Were a sandbox taken from under a pod that the kubelet is still ending, it could make it a new one.
    await waitFor(`the kubelet of ${this.name} to end its containers`, async () => !await this.cri.hasReadySandboxes() || undefined, 120);
    // The kubelet itself clears up once a minute. What it is at just then, nobody else can remove.
    await waitFor(`the sandboxes of ${this.name} to go`, async () => {
      await this.cri.removeSandboxes();
      return true;
    }, 60);
  }

  images(): Promise<CriImage[]> {
    return this.cri.images();
  }

  imageStatus(reference: string): Promise<CriImage | undefined> {
    return this.cri.imageStatus(reference);
  }

  /** All processes of the node, those of its pods too. */
  processes(): NodeProcess[] {
    const proc = `/proc/${this.init}/root/proc`;
    return fs.readdirSync(proc).filter(name => /^\d+$/.test(name)).flatMap(pid => {
      try {
        return [{ pid: Number(pid), argv: words(`${proc}/${pid}/cmdline`), environment: words(`${proc}/${pid}/environ`) }];
      } catch {
        // It ended meanwhile.
        return [];
      }
    });
  }

  /** Waits until so many processes were seen whose command line holds the text; one that ends at once may be missed. */
  async seeProcesses(text: string, count = 1): Promise<void> {
    const seen = new Set<number>();
    await waitFor(`${count} processes with ${text} on ${this.name}`, () => {
      this.processes().filter(({ argv }) => argv.join(' ').includes(text)).forEach(({ pid }) => seen.add(pid));
      return seen.size >= count || undefined;
    }, 90);
  }

  /** Where this machine sees a file of the node. */
  hostPath(file: string): string {
    return path.join(`/proc/${this.init}/root`, file);
  }

  /** Runs a program in the node, with the environment of a system service. */
  exec(argv: string[], options: CommandOptions = {}): Promise<CommandResult> {
    return run(this.enter(argv), { ...options, env: { PATH, ...options.env } });
  }

  async startContainerd(): Promise<void> {
    this.containerd = this.daemon(['/usr/bin/containerd'], 'containerd.log');
    const daemon = this.containerd;
    await waitFor(`containerd of ${this.name}`, async () => (await this.cri.ready()) || undefined, 60, () => daemon.logTail);
  }

  async stopContainerd(): Promise<void> {
    await this.endInNode('containerd');
    await this.containerd?.stop();
  }

  async startKubelet(): Promise<void> {
    this.kubelet = this.daemon(['/usr/bin/kubelet', ...kubeletArguments(this.settings)], 'kubelet.log');
    await this.kubeletReady();
  }

  async stopKubelet(): Promise<void> {
    await this.endInNode('kubelet');
    await this.kubelet?.stop();
  }

  async restartKubelet(): Promise<void> {
    await this.stopKubelet();
    await this.startKubelet();
  }

  protected kubeletLog(): Promise<string> | string {
    return fs.readFileSync(path.join(this.folder, 'var/log/kubelet.log'), 'utf8');
  }

  /** Until it answers, which it does before it starts pods. */
  protected async kubeletReady(): Promise<void> {
    const daemon = this.kubelet;
    await waitFor(`the kubelet of ${this.name}`, async () => {
      if (daemon && !daemon.running) {
        throw new Error('it ended');
      }
      return (await fetch(`http://127.0.0.1:${this.settings.kubeletPorts.readOnly}/pods`)).ok || undefined;
    }, 120, () => daemon?.logTail ?? '');
  }

  /** Text files of the node, by path. */
  protected files(): Record<string, string> {
    return nodeFiles(this.settings);
  }

  /** Symbolic links of the node, by path. */
  protected links(): Record<string, string> {
    return nodeLinks(this.settings);
  }

  /** What the first process of the node runs, with its arguments. */
  protected bootCommand(): string[] {
    return [path.join(__dirname, 'node-boot.sh'), this.folder, CACHE_FOLDER, this.name, String(this.imageDiskMegabytes)];
  }

  /** How full this machine is must not matter. */
  protected get imageDiskMegabytes(): number {
    return this.props.imageDiskMegabytes ?? 20_000;
  }

  /** Writes the node's files and starts its first process. */
  protected async boot(): Promise<void> {
    for (const name of ['upper', 'work', 'root', 'disk', 'run', 'tmp', 'var/log']) {
      fs.mkdirSync(path.join(this.folder, name), { recursive: true });
    }
    await this.readySettings();
    await this.writeFiles();
    await this.powerOn();
  }

  /** Ends every process of the node; its mounts go with them. */
  protected async powerOff(): Promise<void> {
    await this.holder?.stop('SIGKILL');
    await waitFor(`node ${this.name} to end`, () => !this.init || !fs.existsSync(`/proc/${this.init}`) || undefined);
    await Promise.all([this.containerd?.stop(), this.kubelet?.stop(), this.soci?.stop()]);
    await removeControlGroups(this.controlGroup);
  }

  protected async powerOn(): Promise<void> {
    const log = path.join(this.folder, 'boot.log');
    fs.writeFileSync(log, '');
    this.holder = new Daemon(['unshare', '--mount', '--pid', '--uts', '--fork', '--kill-child', 'bash', ...this.bootCommand()], log);
    const holder = this.holder;
    await waitFor(`node ${this.name} to boot`, () => {
      if (!holder.running) {
        throw new Error('its first process ended');
      }
      return fs.readFileSync(log, 'utf8').endsWith('ready\n') || undefined;
    }, 30, () => holder.logTail);
    this.init = Number(fs.readFileSync(`/proc/${holder.pid}/task/${holder.pid}/children`, 'utf8').trim());
  }

  private async startSoci(): Promise<void> {
    this.soci = this.daemon([engine('soci-snapshotter-grpc'), '--config', SOCI_CONFIG, '--address', SOCI_SOCKET], 'soci.log',
      // Layers it asks for by the name in the image's reference, whatever the mirror: the registry answers as a proxy, too.
      { HTTP_PROXY: Object.values(this.settings.registries)[0] });
    const daemon = this.soci;
    await waitFor(`the SOCI snapshotter of ${this.name}`, () => fs.existsSync(this.hostPath(SOCI_SOCKET)) || undefined, 60, () => daemon.logTail);
  }

  private async readySettings(): Promise<void> {
    const availabilityZone = `${this.props.region}a`;
    this.metadata = new InstanceMetadata(this.folder, {
      instanceId: this.instanceId, region: this.props.region, availabilityZone, lifecycleState: this.props.lifecycleState ?? 'InService',
    });
    await this.metadata.start();
    this.settings = {
      name: this.props.name,
      instanceId: this.instanceId,
      availabilityZone,
      registries: this.props.registries,
      aws: { ...this.props.aws, AWS_EC2_METADATA_SERVICE_ENDPOINT: this.props.metadataWay?.(this.metadata.endpoint) ?? this.metadata.endpoint },
      kubeletPorts: { api: await freePort(), readOnly: await freePort() },
      podsControlGroup: this.podsControlGroup,
      kubeletConfig: this.props.kubeletConfig ?? {},
      soci: this.props.soci ?? false,
      kubelet: this.props.kubelet === 'oldest' ? OLDEST_KUBELET : 'kubelet',
    };
  }

  private async writeFiles(): Promise<void> {
    const upper = path.join(this.folder, 'upper');
    fs.mkdirSync(path.join(upper, 'root'), { mode: 0o700 });
    fs.mkdirSync(path.join(upper, 'etc/kubernetes/kubelet/config.json.d'), { recursive: true });
    for (const [file, content] of Object.entries(this.files())) {
      fs.mkdirSync(path.dirname(path.join(upper, file)), { recursive: true });
      fs.writeFileSync(path.join(upper, file), content, { mode: content.startsWith('#!') ? 0o755 : 0o644 });
    }
    for (const [file, target] of Object.entries(this.links())) {
      fs.mkdirSync(path.dirname(path.join(upper, file)), { recursive: true });
      fs.symlinkSync(target, path.join(upper, file));
    }
    await exportImage(await buildImage(0, 'pause'), PAUSE_IMAGE, path.join(upper, 'etc/eks/pause.tar'));
  }

  private async loadPauseImage(): Promise<void> {
    for (const args of [
      ['images', 'import', '--local', '/etc/eks/pause.tar'],
      ['images', 'label', PAUSE_IMAGE, 'io.cri-containerd.pinned=pinned'],
    ]) {
      const result = await this.exec(['ctr', '--namespace', 'k8s.io', ...args]);
      if (result.exitCode !== 0) {
        throw new Error(`could not load the pause image on ${this.name}: ${result.stderr}`);
      }
    }
  }

  private daemon(argv: string[], logName: string, env: Record<string, string> = {}): Daemon {
    return new Daemon(this.enter(argv), path.join(this.folder, 'var/log', logName), { PATH, ...env });
  }

  private enter(argv: string[]): string[] {
    return ['nsenter', '--target', String(this.init), '--mount', '--pid', '--uts', '--root', '--wd', '--', ...argv];
  }

  /** The process started here only waits for the one in the node, so the signal goes to that one. */
  private async endInNode(name: string): Promise<void> {
    for (const { pid } of this.find(name)) {
      await this.exec(['sh', '-c', 'kill "$1"', 'sh', String(pid)]);
    }
    await waitFor(`${name} of ${this.name} to end`, () => this.find(name).length === 0 || undefined);
  }

  private find(name: string): NodeProcess[] {
    return this.processes().filter(({ argv }) => path.basename(argv[0] ?? '') === name);
  }
}

function words(file: string): string[] {
  return fs.readFileSync(file, 'utf8').split('\0').filter(word => word !== '');
}

/** What the kubelet logged of its events about a pod's image. */
function imageEvents(log: string, pod: string): KubeletEvent[] {
  return log.split('\n').filter(line => line.includes('"Event occurred"') && line.includes(`"default/${pod}"`)).flatMap(line => {
    const [, reason, message] = / reason="(\w+)" message="((?:[^"\\]|\\.)*)"/.exec(line) ?? [];
    return /^(Pulling|Pulled|Failed|BackOff|ErrImageNeverPull)$/.test(reason ?? '') ? [{ reason, message: message.replace(/\\"/g, '"') }] : [];
  });
}

/** Reads a duration as Go writes it, such as 1m2.5s or 116ms. */
function milliseconds(text: string): number {
  const units: Record<string, number> = { h: 3_600_000, m: 60_000, s: 1000, ms: 1, µs: 0.001, ns: 0.000001 };
  return [...text.matchAll(/([\d.]+)(ms|µs|ns|h|m|s)/g)].reduce((sum, [, value, unit]) => sum + Number(value) * units[unit], 0);
}
