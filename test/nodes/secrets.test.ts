import * as fs from 'node:fs';
import * as http from 'node:http';
import type { AddressInfo } from 'node:net';
import { onRealNodes, only, repository, runsOfEvent } from './real-nodes';
import type { Node, RegistryCredentials } from '../../testbed/engines';
import { sleep, waitFor } from '../../testbed/engines';

jest.setTimeout(120_000);

/** What was seen of the node's processes: every command line and every environment. */
class Watch {
  readonly seen = new Map<string, { argv: string; environment: string }>();
  private looks = 0;
  private watching = true;
  private readonly done: Promise<void>;

  constructor(private readonly node: Node) {
    this.done = this.look();
  }

  async stop(): Promise<void> {
    this.watching = false;
    await this.done;
  }

  /** Until a process was seen that has the text. */
  async see(text: string): Promise<void> {
    await waitFor(`a process with ${text}`, () => this.processesWith(text).length > 0 || undefined, 60);
  }

  /** Until all that runs now was seen. */
  async lookAgain(): Promise<void> {
    const before = this.looks;
    await waitFor('another look at all processes', () => this.looks > before + 1 || undefined, 60);
  }

  processesWith(text: string): string[] {
    return [...this.seen.values()].filter(({ argv, environment }) => `${argv}\n${environment}`.includes(text)).map(({ argv }) => argv);
  }

  private async look(): Promise<void> {
    while (this.watching) {
      for (const { pid, argv, environment } of this.node.processes()) {
        this.seen.set(`${pid} ${argv.join(' ')}`, { argv: argv.join(' '), environment: environment.join('\n') });
      }
      this.looks++;
      await sleep(1);
    }
  }
}

onRealNodes('a pull with credentials', bed => {
  test('shows neither token nor password in any process, log or file of the node', async () => {
    const deployment = await bed.deployPrefetcher(stack => ({ repositories: [repository(stack, 'secret')] }));
    const node = await bed.addNode(deployment);
    const pushed = await bed.push('secret', 'v1', { megabytes: 30 });
    const { credentials } = bed.testbed.ecr;
    const secrets = [credentials.password, basic(credentials), Buffer.from(credentials.password).toString('base64')];

    // The plugin would end between two looks at the processes: it waits until it was seen.
    const [folder, go] = ['/etc/eks/image-credential-provider', '/run/go-on'];
    const { exitCode } = await node.exec(['sh', '-c', `cd ${folder} && mv ecr-credential-provider plugin && cat >ecr-credential-provider && chmod 755 ecr-credential-provider`],
      { input: `#!/bin/sh\nuntil [ -e ${go} ]; do sleep 0.05; done\nexec ${folder}/plugin\n` });
    expect(exitCode).toBe(0);
    const watch = new Watch(node);
    bed.testbed.registry.stall();
    const event = deployment.plane.putEvent(pushed.event);
    try {
      await watch.see(`${folder}/ecr-credential-provider`);
      fs.writeFileSync(node.hostPath(go), '');
      await watch.see('/PullImage');
      await watch.lookAgain();
    } finally {
      bed.testbed.registry.resume();
    }
    const run = only(runsOfEvent(await event));
    await watch.stop();

    expect(run).toMatchObject({ status: 'Success', outcomes: { [pushed.reference]: 'pulled' } });
    // The credential plugin, which makes the token, was watched too.
    expect(watch.processesWith('/image-credential-provider/ecr-credential-provider')).not.toEqual([]);
    expect(bed.testbed.registry.requests().some(({ path, status }) => path.startsWith('/v2/secret/') && status === 200)).toBe(true);
    for (const secret of secrets) {
      expect(watch.processesWith(secret)).toEqual([]);
      expect(run.stdout + run.stderr + JSON.stringify(deployment.plane.logs.streams)).not.toContain(secret);
    }
    expect(await filesWith(node, secrets)).toEqual([]);
  });

  test('keeps them out of its report even when a registry answers with what it was sent', async () => {
    const deployment = await bed.deployPrefetcher(stack => ({ repositories: [repository(stack, 'indiscreet')] }));
    const { registryHost, credentials } = bed.testbed.ecr;
    const indiscreet = await startIndiscreetRegistry();
    try {
      await bed.addNode(deployment, 'Gpu', { registries: { [registryHost]: indiscreet.url } });
      const pushed = await bed.push('indiscreet', 'v1');

      const run = only(runsOfEvent(await deployment.plane.putEvent(pushed.event)));
      expect(indiscreet.told()).toContain(credentials.password);
      expect(run).toMatchObject({ status: 'Failed', outcomes: { [pushed.reference]: 'failed' } });
      expect(run.images[0].reason).toContain('you said');
      for (const secret of [credentials.password, basic(credentials)]) {
        expect(run.stdout + run.stderr).not.toContain(secret);
      }
    } finally {
      indiscreet.stop();
    }
  });

  test('would be noticed by this test', async () => {
    const node = await bed.addNode(await bed.deployPrefetcher(stack => ({ repositories: [repository(stack, 'noticed')] })));
    const watch = new Watch(node);
    const found = node.exec(['sh', '-c', 'until [ -e /run/seen ]; do sleep 0.05; done; echo s3cret-in-file >/var/log/found', 'sh', 's3cret-in-argv'],
      { env: { PATH: '/usr/bin:/bin', TOKEN: 's3cret-in-environment' } });
    await watch.see('s3cret-in-argv');
    fs.writeFileSync(node.hostPath('/run/seen'), '');
    await found;
    await watch.stop();
    expect(watch.processesWith('s3cret-in-argv').length).toBeGreaterThan(0);
    expect(watch.processesWith('s3cret-in-environment').length).toBeGreaterThan(0);
    expect(await filesWith(node, ['s3cret-in-file'])).toEqual(['/var/log/found']);
  });
});

function basic({ username, password }: RegistryCredentials): string {
  return Buffer.from(`${username}:${password}`).toString('base64');
}

/** A registry that asks for credentials, and repeats them in its refusal. */
async function startIndiscreetRegistry(): Promise<{ url: string; told(): string; stop(): void }> {
  let told = '';
  const server = http.createServer((request, response) => {
    const { authorization } = request.headers;
    if (!authorization) {
      response.writeHead(401, { 'www-authenticate': 'Basic realm="indiscreet"' }).end();
      return;
    }
    told = `${authorization} ${Buffer.from(authorization.replace(/^Basic /, ''), 'base64').toString()}`;
    response.writeHead(400, `you said ${told}`).end();
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    told: () => told,
    stop: () => { server.close(); server.closeAllConnections(); },
  };
}

/** Files that hold one of the texts, wherever the node program or containerd could have written them. */
async function filesWith(node: Node, texts: string[]): Promise<string[]> {
  const folders = ['/etc/containerd', '/etc/kubernetes', '/etc/eks', '/run', '/tmp', '/var/tmp', '/var/log', '/var/lib/amazon', '/var/lib/containerd', '/root/.aws', '/root/.docker'];
  // The texts come on standard input: as arguments they would be found in grep's own process.
  const { stdout, exitCode, stderr } = await node.exec(
    ['sh', '-c', 'grep -rlaF --devices=skip -f - "$@" 2>/dev/null', 'sh', ...folders], { input: texts.join('\n') });
  if (exitCode > 1 && stdout === '') {
    expect(stderr).toBe('');
  }
  return stdout.split('\n').filter(file => file !== '');
}
