import * as fs from 'node:fs';
import type { Run } from './real-nodes';
import { newest, onRealNodes, reconcileRun } from './real-nodes';
import { ImageSelection } from '../../src';
import type { Deployment } from '../../testbed/deployment';
import type { Node, PushedImage } from '../../testbed/engines';
import { buildImage, engine, FaultProxy, pushImage, Registry } from '../../testbed/engines';

jest.setTimeout(120_000);

const FOLDER = '/etc/eks/image-credential-provider';
const CONFIG = `${FOLDER}/config.json`;
const VERSION = 'credentialprovider.kubelet.k8s.io/v1';
const ROBOT = { username: 'robot', password: 'secret' };

interface Provider {
  readonly name: string;
  readonly matchImages?: string[];
  readonly env?: { name: string; value: string }[];
  readonly [field: string]: unknown;
}

const readConfig = (node: Node): { providers: Provider[] } => JSON.parse(fs.readFileSync(node.hostPath(CONFIG), 'utf8'));
const writeConfig = (node: Node, config: object) => fs.writeFileSync(node.hostPath(CONFIG), JSON.stringify(config));
const provider = (name: string, ...matchImages: string[]): Provider => ({ name, matchImages, defaultCacheDuration: '1h', apiVersion: VERSION });

function addPlugin(node: Node, name: string, script: string): void {
  fs.writeFileSync(node.hostPath(`${FOLDER}/${name}`), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
}

/** What the testbed tells the credential provider of ECR, which finds AWS by itself on EC2: else it can only have that from the kubelet. */
function environmentOf({ providers: [{ env }] }: { providers: Provider[] }): Record<string, string> {
  return Object.fromEntries(env!.map(({ name, value }) => [name, value]));
}

/** What a plugin prints that knows the robot's password for that registry, or image. */
function answer(place: string, cacheKeyType: string): string {
  return JSON.stringify({ kind: 'CredentialProviderResponse', apiVersion: VERSION, cacheKeyType, auth: { [place]: ROBOT } });
}

/** Starts the kubelet anew, as its systemd unit would with that environment. */
async function restartKubelet(node: Node, environment: Record<string, string>): Promise<void> {
  const program = node.hostPath('/usr/bin/kubelet');
  fs.rmSync(program);
  const exports = Object.entries(environment).map(([name, value]) => `export ${name}='${value}'\n`).join('');
  fs.writeFileSync(program, `#!/bin/bash\n${exports}exec -a /usr/bin/kubelet ${engine('kubelet')} "$@"\n`, { mode: 0o755 });
  await node.restartKubelet();
}

onRealNodes('the kubelet\'s credential providers', bed => {
  let locked: Registry;
  let open: Registry;
  let nonsense: { hosts: string[]; pushed: PushedImage; run: Promise<Run> };

  beforeAll(async () => {
    [locked, open] = [new Registry(bed.testbed.workspace, ROBOT, 'locked'), new Registry(bed.testbed.workspace, undefined, 'open')];
    await Promise.all([locked.start(), open.start()]);
    const image = await buildImage(1, 'public');
    for (const name of ['team/a', 'team/b']) {
      await pushImage(image, locked, name, 'v1');
    }
    await pushImage(image, open, 'public/app', 'v1');
    nonsense = await startNonsense();
  }, 60_000);

  /** What passes may come right, and is tried again for half a minute: this run goes on beside the other tests. */
  async function startNonsense() {
    const says: Record<string, string> = { 'garbage.example.com': 'echo garbage', 'nothing.example.com': 'true', 'null.example.com': 'echo null' };
    const hosts = Object.keys(says);
    const deployment = await bed.deployPrefetcher(stack => ({ images: [...hosts.map(host => ImageSelection.registry(`${host}/team/a:v1`)), newest(stack, 'beside')] }));
    const node = await bed.addNode(deployment, 'Gpu', { registries: Object.fromEntries(hosts.map(host => [host, locked.url])) });
    const pushed = await bed.push('beside', 'v1');
    const config = readConfig(node);
    writeConfig(node, { ...config, providers: [...config.providers, ...hosts.map(host => provider(`says-${host.split('.')[0]}`, host))] });
    for (const host of hosts) {
      addPlugin(node, `says-${host.split('.')[0]}`, says[host]);
    }
    return { hosts, pushed, run: reconcileRun(deployment) };
  }

  /** A node that wants an image of ECR, one of a public registry and one that only the team's plugin has the password of. */
  async function nodeWithThree(name: string) {
    const deployment = await bed.deployPrefetcher(stack => ({
      images: [newest(stack, name), ImageSelection.registry(`${open.address}/public/app:v1`), ImageSelection.registry(`${locked.address}/team/a:v1`)],
    }));
    const node = await bed.addNode(deployment);
    const pushed = await bed.push(name, 'v1');
    addPlugin(node, 'team-provider', `cat <<'END'\n${answer(locked.address, 'Registry')}\nEND`);
    return { deployment, node, references: [pushed.reference, `${open.address}/public/app:v1`, `${locked.address}/team/a:v1`] };
  }

  const outcomesOf = (run: Run, references: string[]) => references.map(one => run.outcomes[one]);

  test('in YAML, which is not read: ECR and public images are there, and what is not says why', async () => {
    const { deployment, node, references } = await nodeWithThree('yaml');
    const environment = environmentOf(readConfig(node));
    const yaml = ['apiVersion: kubelet.config.k8s.io/v1', 'kind: CredentialProviderConfig', 'providers:', '- name: ecr-credential-provider', '  matchImages: ["*.dkr.ecr.*.amazonaws.com"]',
      '  defaultCacheDuration: 12h', `  apiVersion: ${VERSION}`, '- name: team-provider', `  matchImages: ["${locked.address}"]`, '  defaultCacheDuration: 1h', `  apiVersion: ${VERSION}`, ''];
    fs.writeFileSync(node.hostPath(CONFIG), yaml.join('\n'));
    await restartKubelet(node, environment);

    const run = await reconcileRun(deployment);
    expect(outcomesOf(run, references)).toEqual(['pulled', 'pulled', 'failed']);
    expect(run.line(references[2])!.reason).toContain(`${CONFIG} is not the JSON that is read here`);
    expect(run.summary.note).toContain(`${CONFIG} is not the JSON that is read here`);
  });

  test('in a folder of files are all asked', async () => {
    const { deployment, node, references } = await nodeWithThree('folder');
    const config = readConfig(node);
    fs.rmSync(node.hostPath(CONFIG));
    fs.mkdirSync(node.hostPath(CONFIG));
    fs.writeFileSync(node.hostPath(`${CONFIG}/10-ecr.json`), JSON.stringify(config));
    fs.writeFileSync(node.hostPath(`${CONFIG}/20-team.json`), JSON.stringify({ ...config, providers: [provider('team-provider', locked.address)] }));
    fs.writeFileSync(node.hostPath(`${CONFIG}/README`), 'not read');
    await node.restartKubelet();
    const run = await reconcileRun(deployment);
    expect(run.status).toBe('Success');
    expect(outcomesOf(run, references)).toEqual(['pulled', 'pulled', 'pulled']);
    expect(run.summary.note).toBeUndefined();
  });

  test('that are null, or without matchImages, are said, and everything else is there', async () => {
    const { deployment, node, references } = await nodeWithThree('null');
    const config = readConfig(node);
    await restartKubelet(node, environmentOf(config));
    // A kubelet would not start with these: it had begun before.
    writeConfig(node, { ...config, providers: [{ ...provider('team-provider'), matchImages: undefined }, ...config.providers] });
    const without = await reconcileRun(deployment);
    expect(outcomesOf(without, references)).toEqual(['pulled', 'pulled', 'failed']);
    expect(without.line(references[2])!.reason).toContain('a provider without a name or matchImages');

    await node.cri.removeImage(references[0]);
    writeConfig(node, { ...config, providers: null });
    const none = await reconcileRun(deployment);
    expect(outcomesOf(none, references)).toEqual(['pulled', 'present', 'failed']);
    expect(none.summary.note).toContain('names no credential providers');
  });

  test('that answer for one image are asked for each', async () => {
    const images = ['a', 'b'].map(name => `${locked.address}/team/${name}:v1`);
    const deployment = await bed.deployPrefetcher(() => ({ images: images.map(ImageSelection.registry) }));
    const node = await bed.addNode(deployment);
    const config = readConfig(node);
    writeConfig(node, { ...config, providers: [provider('by-image', locked.address)] });
    addPlugin(node, 'by-image', `case $(cat) in\n${images.map(image => `*'"${image}"'*) echo '${answer(image.replace(/:v1$/, ''), 'Image')}' ;;`).join('\n')}\nesac`);
    const run = await reconcileRun(deployment);
    expect(run).toMatchObject({ status: 'Success', outcomes: Object.fromEntries(images.map(image => [image, 'pulled'])) });
  });

  test('that answer garbage, nothing or null with success fail the images of their registries, and say so', async () => {
    const { hosts, pushed, run } = nonsense;
    const { outcomes, line } = await run;
    expect(outcomes).toEqual({ ...Object.fromEntries(hosts.map(host => [`${host}/team/a:v1`, 'failed'])), [pushed.reference]: 'pulled' });
    for (const host of hosts) {
      expect(line(`${host}/team/a:v1`)!.reason).toContain(`the credential provider says-${host.split('.')[0]} answered nonsense`);
    }
  });
});

onRealNodes('a proxy that only the kubelet\'s unit names', bed => {
  test('is used by its credential provider, and for ECR', async () => {
    const proxy = new FaultProxy(bed.testbed.workspace, { url: bed.testbed.moto.endpoint });
    await proxy.start();
    const deployment: Deployment = await bed.deployPrefetcher(stack => ({ images: [newest(stack, 'proxied')] }));
    // A name that nobody but the proxy knows.
    const node = await bed.addNode(deployment, 'Gpu', { aws: { AWS_ENDPOINT_URL: 'http://aws.behind-the-proxy.invalid' } });
    const pushed = await bed.push('proxied', 'v1');
    await restartKubelet(node, { http_proxy: proxy.url, no_proxy: 'localhost,127.0.0.1' });
    const run = await reconcileRun(deployment);
    expect(run).toMatchObject({ status: 'Success', outcomes: { [pushed.reference]: 'pulled' } });
    expect(proxy.requests.length).toBeGreaterThanOrEqual(2);
  });
});
