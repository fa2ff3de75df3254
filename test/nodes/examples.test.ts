import * as fs from 'node:fs';
import * as path from 'node:path';
import type { App } from 'aws-cdk-lib';
import type { Run } from './real-nodes';
import { onRealNodes, runsOfEvent, runsOfReconcile } from './real-nodes';
import type { CommandTarget, Resource } from '../../testbed/aws';
import { ControlPlane } from '../../testbed/aws';
import type { Image, Node } from '../../testbed/engines';
import { buildImage, Ecr, EventRuler, pushEvent, pushImage, Registry } from '../../testbed/engines';
import { parseSettings } from '../../testbed/settings';

jest.setTimeout(120_000);
// The deprecated package says so at every step.
process.env.JSII_DEPRECATED = 'quiet';

const EXAMPLES = path.join(__dirname, '..', '..', 'examples');
const NAMES = fs.readdirSync(EXAMPLES).filter(name => fs.existsSync(path.join(EXAMPLES, name, 'app.ts')));
/** Where an example does not say where it is deployed. */
const ANYWHERE = { account: '111122223333', region: 'us-east-1' };
/** Its hundreds of repositories are pushed to, but not listed one by one. */
const LARGE = 'many';
/** No image can be made to a digest that an example made up. */
const MADE_UP = '@sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08';

/** One wanted image, of those that an example names or leaves open. */
interface WantedImage {
  readonly host: string;
  readonly repository: string;
  readonly tag: string;
}

/** A wanted list's images: of `HOST/a,b?newest=N&include=v*`, one image of each repository. */
function wantedImages(words: string): WantedImage[] {
  return words.split(' ').filter(word => !word.endsWith(MADE_UP)).flatMap(word => {
    const [, host, repositories, tag, filter] = /^([^/]+)\/([^:?]+)(?::(.*)|\?(.*))$/.exec(word)!;
    const pattern = /&include=([^&]+)/.exec(filter ?? '')?.[1] ?? 'v*';
    return repositories.split(',').map(repository => ({ host, repository, tag: tag ?? pattern.replace('*', '1') }));
  });
}

/** A stack of an example, deployed. */
class DeployedExample {
  readonly plane: ControlPlane;
  private readonly fleet: CommandTarget[] = [];

  constructor(readonly name: string, template: object, place: { account: string; region: string }, stackName: string, ruler: EventRuler) {
    this.plane = new ControlPlane(template, { ...place, stackName, matcher: ruler, fleet: this.fleet });
  }

  get images(): WantedImage[] {
    return this.commandDocuments().flatMap(({ properties }) => wantedImages(parseSettings(properties.Content.mainSteps[0].inputs.runCommand).Images));
  }

  /** One real node plays, one after the other, a node of each kind that the example selects. */
  playedBy(node: Node): void {
    const kinds = new Map<string, Record<string, string>>();
    for (const targets of this.targets()) {
      const tags = Object.fromEntries(targets.map(({ Key, Values }) => [Key.replace(/^tag:/, ''), Values[Values.length - 1]]));
      kinds.set(JSON.stringify(tags), tags);
    }
    this.fleet.push(...[...kinds.values()].map((tags, index): CommandTarget => ({
      name: `${this.name}-${index + 1}`, tags, run: (script, env, timeoutSeconds) => node.run(script, env, timeoutSeconds),
    })));
  }

  get kindsOfNodes(): number {
    return this.fleet.length;
  }

  /** The bus of the rule that waits for pushes to the repository; undefined when there is none. */
  busFor(repository: string): string | undefined {
    const rule = this.plane.template.resources('AWS::Events::Rule')
      .find(({ properties }) => properties.EventPattern.detail?.['repository-name']?.includes(repository) && properties.Targets[0].InputTransformer);
    return rule && (rule.properties.EventBusName ?? 'default');
  }

  get reconciles(): boolean {
    return this.name !== LARGE && this.plane.template.resources('AWS::SSM::Association').length > 0;
  }

  private commandDocuments(): Resource[] {
    return this.plane.template.resources('AWS::SSM::Document').filter(({ properties }) => properties.DocumentType === 'Command');
  }

  private targets(): { Key: string; Values: string[] }[][] {
    const runbooks = this.plane.template.resources('AWS::SSM::Document').filter(({ properties }) => properties.DocumentType === 'Automation');
    return [
      ...this.plane.template.resources('AWS::SSM::Association').map(({ properties }) => properties.Targets),
      ...runbooks.map(({ properties }) => properties.Content.mainSteps[0].inputs.Targets),
    ];
  }
}

onRealNodes('the example', bed => {
  const stacks: DeployedExample[] = [];
  const repositories = new Set<string>();
  let node: Node;
  let image: Image;
  let open: Registry;

  beforeAll(async () => {
    const ruler = bed.testbed.workspace.track(new EventRuler());
    for (const name of NAMES) {
      const { app } = jest.requireActual<{ app: App }>(path.join(EXAMPLES, name, 'app.ts'));
      const assembly = app.synth();
      for (const { template, environment, stackName } of assembly.stacks) {
        if (!JSON.stringify(template).includes('AWS::SSM::Document')) {
          continue;
        }
        const place = {
          account: environment.account.replace('unknown-account', ANYWHERE.account), region: environment.region.replace('unknown-region', ANYWHERE.region),
        };
        stacks.push(new DeployedExample(name, template, place, stackName, ruler));
      }
      fs.rmSync(assembly.directory, { recursive: true });
    }
    image = await buildImage(0, 'example');
    open = new Registry(bed.testbed.workspace, undefined, 'open');
    await open.start();
    const hosts = stacks.flatMap(stack => stack.images).map(({ host }) => host);
    node = await bed.testbed.addNode('example', {}, {
      imageDiskMegabytes: 20_000,
      registries: Object.fromEntries(hosts.map(host => [host, registryOf(host).url])),
    });
  }, 120_000);

  const ecrOf = (host: string) => {
    const [, account, region] = /^(\d{12})\.dkr\.ecr\.([a-z0-9-]+)\./.exec(host) ?? [];
    return account ? new Ecr(bed.testbed.moto, account, region) : undefined;
  };
  const registryOf = (host: string) => ecrOf(host) ? bed.testbed.registry : open;

  async function push({ host, repository, tag }: WantedImage): Promise<void> {
    const id = `${host}/${repository}`;
    if (repositories.has(`${id}:${tag}`)) {
      return;
    }
    await pushImage(image, registryOf(host), repository, tag);
    const ecr = ecrOf(host);
    if (ecr && !repositories.has(id)) {
      await ecr.createRepository(repository);
    }
    await ecr?.putImage({ repository, tag, digest: image.digest, manifest: image.manifest, mediaType: image.mediaType });
    [id, `${id}:${tag}`].forEach(known => repositories.add(known));
  }

  /** Every line speaks of an image that is there, but for the one that cannot be. */
  function expectEverything(runs: Run[]): void {
    expect(runs.flatMap(({ images }) => images).filter(({ image: name, outcome }) => !name.endsWith(MADE_UP) && !['pulled', 'present'].includes(outcome))).toEqual([]);
    expect(runs.map(({ summary }) => summary.error).filter(Boolean)).toEqual([]);
  }

  test.each(NAMES)('%s brings its images to its nodes', async name => {
    for (const stack of stacks.filter(each => each.name === name)) {
      stack.playedBy(node);
      expect(stack.kindsOfNodes).toBeGreaterThan(0);
      const wanted = name === LARGE ? stack.images.slice(-1) : stack.images;
      for (const one of wanted) {
        await push(one);
      }

      for (const { host, repository, tag } of wanted.filter(one => ecrOf(one.host) && stack.busFor(one.repository))) {
        const { account, region } = ecrOf(host)!;
        const event = pushEvent({ account, region, repository, tag, digest: image.digest, mediaType: image.mediaType });
        const runs = runsOfEvent(await stack.plane.putEvent(event, { bus: stack.busFor(repository) }));
        expectEverything(runs);
        expect(runs.flatMap(({ images }) => images).map(line => line.image)).toContain(`${host}/${repository}:${tag}`);
      }
      if (stack.reconciles) {
        expectEverything(runsOfReconcile(await stack.plane.reconcile()));
      }

      for (const { host, repository, tag } of wanted) {
        expect(await node.imageStatus(`${host}/${repository}:${tag}`)).toBeDefined();
      }
    }
  });
});
