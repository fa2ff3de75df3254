import * as fs from 'node:fs';
import * as path from 'node:path';
import { Daemon, freePort, runOk, signal, waitFor } from './processes';
import type { Workspace } from './workspace';

export interface RegistryCredentials {
  readonly username: string;
  readonly password: string;
}

/** One request the registry answered. */
export interface RegistryRequest {
  readonly method: string;
  readonly path: string;
  readonly status: number;
  readonly bytes: number;
  readonly userAgent: string;
}

const ACCESS_LOG = /"([A-Z]+) (\S+) HTTP\/[\d.]+" (\d+) (\d+) "[^"]*" "([^"]*)"/;

/** A real distribution registry on the loopback address. */
export class Registry {
  private readonly folder: string;
  private port = 0;
  private daemon?: Daemon;

  /** Without credentials the registry asks for none, like a public one. */
  constructor(workspace: Workspace, readonly credentials?: RegistryCredentials, name = 'registry') {
    this.folder = workspace.makeFolder(name);
    workspace.track(this);
  }

  /** Host and port, as in an image reference. */
  get address(): string {
    return `127.0.0.1:${this.port}`;
  }

  get url(): string {
    return `http://${this.address}`;
  }

  /** Started again after a stop, it has the same port and content. */
  async start(): Promise<void> {
    this.port ||= await freePort();
    const config = path.join(this.folder, 'config.json');
    fs.writeFileSync(config, JSON.stringify(await this.config(), undefined, 2));
    this.daemon = new Daemon(['docker-registry', 'serve', config], this.logFile);
    const daemon = this.daemon;
    await waitFor('the registry', async () => (await fetch(`${this.url}/v2/`)).status < 500, 30, () => daemon.logTail);
  }

  async stop(): Promise<void> {
    await this.daemon?.stop();
    this.daemon = undefined;
  }

  /** Connections are accepted from now on but nothing is answered. */
  stall(): void {
    signal(this.daemon!.pid, 'SIGSTOP');
  }

  resume(): void {
    signal(this.daemon!.pid, 'SIGCONT');
  }

  /** What was asked so far, oldest first. */
  requests(): RegistryRequest[] {
    return fs.readFileSync(this.logFile, 'utf8').split('\n').flatMap(line => {
      const match = ACCESS_LOG.exec(line);
      return match ? [{ method: match[1], path: match[2], status: Number(match[3]), bytes: Number(match[4]), userAgent: match[5] }] : [];
    });
  }

  /** A file for `--authfile`, so that no password is in a process list. */
  authFile(): string {
    const file = path.join(this.folder, 'auth.json');
    const auths = this.credentials ? { [this.address]: { auth: this.basic() } } : {};
    // Several may push at once, and must not find it half written.
    if (!fs.existsSync(file)) {
      fs.writeFileSync(file, JSON.stringify({ auths }), { mode: 0o600 });
    }
    return file;
  }

  /** Puts a manifest as it is: signatures, charts, and other things skopeo doesn't push. */
  async putManifest(repository: string, reference: string, manifest: string, mediaType: string): Promise<void> {
    await this.request('PUT', `/v2/${repository}/manifests/${reference}`, manifest, { 'content-type': mediaType });
  }

  /** Deletes a manifest, as deleting an image in ECR does. */
  async deleteManifest(repository: string, digest: string): Promise<void> {
    await this.request('DELETE', `/v2/${repository}/manifests/${digest}`);
  }

  private async request(method: string, where: string, body?: string, headers: Record<string, string> = {}): Promise<void> {
    const authorization: Record<string, string> = this.credentials ? { authorization: `Basic ${this.basic()}` } : {};
    const response = await fetch(`${this.url}${where}`, { method, body, headers: { ...headers, ...authorization } });
    if (!response.ok) {
      throw new Error(`registry answered ${response.status} to ${method} ${where}: ${await response.text()}`);
    }
  }

  private get logFile(): string {
    return path.join(this.folder, 'registry.log');
  }

  private basic(): string {
    return Buffer.from(`${this.credentials!.username}:${this.credentials!.password}`).toString('base64');
  }

  private async config(): Promise<object> {
    return {
      version: 0.1,
      log: { level: 'warn' },
      storage: { filesystem: { rootdirectory: path.join(this.folder, 'data') }, delete: { enabled: true } },
      http: { addr: this.address, secret: 'one registry needs no shared secret' },
      ...(this.credentials ? { auth: { htpasswd: { realm: 'registry', path: await this.passwordFile() } } } : {}),
    };
  }

  private async passwordFile(): Promise<string> {
    const file = path.join(this.folder, 'htpasswd');
    // -i: the password comes on standard input.
    await runOk(['htpasswd', '-c', '-i', '-B', file, this.credentials!.username], { input: this.credentials!.password });
    return file;
  }
}
