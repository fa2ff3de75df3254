import * as crypto from 'node:crypto';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { removeControlGroups } from './control-groups';
import { Cri, CriCredentials, CriImage } from './cri';
import { CREDENTIAL_PROVIDER_FOLDER, kubeletCommand, nodeFiles, nodeLinks, NodeSettings, PAUSE_IMAGE } from './node-files';
import { CACHE_FOLDER } from '../engines/cache';
import { buildImage, exportImage } from '../engines/images';
import { CommandOptions, CommandResult, Daemon, run, waitFor } from '../engines/processes';
import { Workspace } from '../engines/workspace';

export interface NodeProps {
  readonly name: string;
  /** Tags of the EC2 instance. */
  readonly tags: Record<string, string>;
  /** The registry (URL) behind each host name. */
  readonly registries: Record<string, string>;
  /** Environment that lets AWS clients on the node reach the ECR API. */
  readonly aws: Record<string, string>;
  readonly region: string;
  /** An image file system of its own of that size. @default - images are kept on this machine's disk */
  readonly imageDiskMegabytes?: number;
}

/** What the SSM agent reports of a command. */
export interface ScriptResult {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
  readonly seconds: number;
  readonly timedOut: boolean;
}

/** A pod's start, in milliseconds. */
export interface PodStart {
  readonly ms: number;
  readonly sandboxMs: number;
  /** Looking for the image, and pulling it when it was not there. */
  readonly imageMs: number;
  readonly startMs: number;
  readonly pulled: boolean;
  readonly imageId: string;
  readonly containerId: string;
}

export interface NodeProcess {
  /** As seen in the node. */
  readonly pid: number;
  readonly argv: string[];
  readonly environment: string[];
}

/** What the SSM agent keeps of a command's output. */
const STDOUT_LIMIT = 24_000;
const STDERR_LIMIT = 8_000;
/** systemd's default for services, which the agent hands on. There is no HOME. */
const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin';

/** A node: its own root file system, processes and containerd, on this machine's kernel and network. */
export class Node {
  readonly name: string;
  readonly tags: Record<string, string>;
  readonly instanceId = `i-${crypto.randomBytes(9).toString('hex').slice(0, 17)}`;
  readonly cri = new Cri((argv, options) => this.exec(argv, options));
  protected readonly folder: string;
  protected readonly settings: NodeSettings;
  protected readonly controlGroup: string;
  /** Parent of the pods' control groups, as the node sees it. */
  protected podsControlGroup: string;
  private holder?: Daemon;
  /** First process of the node, as this machine sees it. */
  private init = 0;
  private containerd?: Daemon;
  private kubelet?: Daemon;
  private pods = 0;

  constructor(workspace: Workspace, protected readonly props: NodeProps) {
    if (!/^[a-z0-9][a-z0-9.-]{0,62}$/.test(props.name)) {
      throw new Error(`a node's name must be a host name in lower case, got ${JSON.stringify(props.name)}`);
    }
    this.name = props.name;
    this.tags = props.tags;
    this.folder = workspace.makeFolder(props.name);
    this.controlGroup = `/${workspace.id}/${props.name}`;
    this.podsControlGroup = this.controlGroup;
    this.settings = {
      name: props.name,
      instanceId: this.instanceId,
      availabilityZone: `${props.region}a`,
      registries: props.registries,
      aws: props.aws,
    };
    workspace.track(this);
  }

  /** Boots: file systems, containerd with its pause image, kubelet. */
  async start(): Promise<void> {
    await this.boot();
    await this.startContainerd();
    await this.loadPauseImage();
    await this.startKubelet();
  }

  /** Ends every process of the node (its mounts go with them) and removes its files. */
  async stop(): Promise<void> {
    await this.holder?.stop('SIGKILL');
    await waitFor(`node ${this.name} to end`, () => !this.init || !fs.existsSync(`/proc/${this.init}`) || undefined);
    await Promise.all([this.containerd?.stop(), this.kubelet?.stop()]);
    await removeControlGroups(this.controlGroup);
    fs.rmSync(this.folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
  }

  /** Runs a script as the SSM agent does: as root, `sh -c` of a script file, output cut to the agent's limits. */
  async run(script: string, env: Record<string, string> = {}, timeoutSeconds = 3600): Promise<ScriptResult> {
    const folder = `/var/lib/amazon/ssm/${this.instanceId}/document/orchestration/${crypto.randomUUID()}/awsrunShellScript/0.awsrunShellScript`;
    const file = `${folder}/_script.sh`;
    fs.mkdirSync(this.hostPath(folder), { recursive: true });
    fs.writeFileSync(this.hostPath(file), script, { mode: 0o700 });
    const result = await this.exec(['sh', '-c', file], {
      // On EC2 the program finds endpoints and the role by itself.
      env: { AWS_SSM_REGION_NAME: this.props.region, AWS_SSM_INSTANCE_ID: this.instanceId, ...this.props.aws, ...env },
      timeoutSeconds,
    });
    return { ...result, stdout: result.stdout.slice(0, STDOUT_LIMIT), stderr: result.stderr.slice(0, STDERR_LIMIT) };
  }

  /** Starts a pod as the kubelet does: sandbox, image if it is not there, container. It shares the node's network. */
  async startPod(image: string, options: { pull: boolean }): Promise<PodStart> {
    const pod = `pod-${++this.pods}`;
    const sandboxFile = this.writeTemporary(`${pod}-sandbox.json`, {
      metadata: { name: pod, namespace: 'default', uid: crypto.randomUUID(), attempt: 1 },
      log_directory: '/var/log/pods',
      linux: { cgroup_parent: this.podsControlGroup, security_context: { namespace_options: { network: 2 } } },
    });
    const started = Date.now();
    const sandbox = await this.cri.runSandbox(sandboxFile);
    const sandboxDone = Date.now();
    const { id, pulled } = await this.ensureImage(image, options.pull);
    const imageDone = Date.now();
    const containerFile = this.writeTemporary(`${pod}-container.json`, {
      metadata: { name: 'main' }, image: { image: id }, log_path: `${pod}.log`, linux: {},
    });
    const containerId = await this.cri.createContainer(sandbox, containerFile, sandboxFile);
    await this.cri.startContainer(containerId);
    const done = Date.now();
    const state = await this.cri.containerState(containerId);
    if (state !== 'CONTAINER_RUNNING') {
      throw new Error(`the container of ${image} on ${this.name} should run, but is ${state}`);
    }
    return {
      ms: done - started,
      sandboxMs: sandboxDone - started,
      imageMs: imageDone - sandboxDone,
      startMs: done - imageDone,
      pulled,
      imageId: id,
      containerId,
    };
  }

  /** Stops and removes all pods; images stay. */
  removePods(): Promise<void> {
    return this.cri.removeSandboxes();
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
    this.kubelet = this.daemon(kubeletCommand(this.settings), 'kubelet.log');
    await waitFor(`kubelet of ${this.name}`, () => this.find('kubelet').length > 0 || undefined);
  }

  async stopKubelet(): Promise<void> {
    await this.endInNode('kubelet');
    await this.kubelet?.stop();
  }

  async restartKubelet(): Promise<void> {
    await this.stopKubelet();
    await this.startKubelet();
  }

  /** Text files of the node, by path. */
  protected files(): Record<string, string> {
    return nodeFiles(this.settings);
  }

  /** Symbolic links of the node, by path. */
  protected links(): Record<string, string> {
    return nodeLinks();
  }

  /** What the first process of the node runs, with its arguments. */
  protected bootCommand(): string[] {
    return [path.join(__dirname, 'node-boot.sh'), this.folder, CACHE_FOLDER, this.name, String(this.props.imageDiskMegabytes ?? 0)];
  }

  /** Writes the node's files and starts its first process. */
  protected async boot(): Promise<void> {
    for (const name of ['upper', 'work', 'root', 'containerd', 'run', 'tmp', 'var/log']) {
      fs.mkdirSync(path.join(this.folder, name), { recursive: true });
    }
    await this.writeFiles();
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

  private async ensureImage(reference: string, pull: boolean): Promise<{ id: string; pulled: boolean }> {
    const present = await this.cri.imageStatus(reference);
    if (present) {
      return { id: present.id, pulled: false };
    }
    if (!pull) {
      throw new Error(`${reference} is not on node ${this.name}, and the pod may not pull it`);
    }
    await this.cri.pull(reference, await this.credentials(reference));
    return { id: (await this.cri.imageStatus(reference))!.id, pulled: true };
  }

  /** Asks the credential plugin as the kubelet does; images no provider matches are pulled without credentials. */
  private async credentials(reference: string): Promise<CriCredentials | undefined> {
    const host = reference.split('/')[0];
    if (!/\.dkr[.-]ecr/.test(host)) {
      return undefined;
    }
    const result = await this.exec([`${CREDENTIAL_PROVIDER_FOLDER}/ecr-credential-provider`], {
      env: this.props.aws,
      input: JSON.stringify({ kind: 'CredentialProviderRequest', apiVersion: 'credentialprovider.kubelet.k8s.io/v1', image: reference }),
    });
    if (result.exitCode !== 0) {
      throw new Error(`the credential plugin failed on ${this.name}: ${result.stderr}`);
    }
    return (JSON.parse(result.stdout) as { auth: Record<string, CriCredentials> }).auth[host];
  }

  private daemon(argv: string[], logName: string): Daemon {
    return new Daemon(this.enter(argv), path.join(this.folder, 'var/log', logName), { PATH });
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

  private writeTemporary(name: string, content: object): string {
    fs.writeFileSync(path.join(this.folder, 'tmp', name), JSON.stringify(content));
    return `/tmp/${name}`;
  }
}

function words(file: string): string[] {
  return fs.readFileSync(file, 'utf8').split('\0').filter(word => word !== '');
}
