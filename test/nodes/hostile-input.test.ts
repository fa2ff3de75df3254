import * as fs from 'node:fs';
import { newest, onRealNodes, only, runsOfEvent } from './real-nodes';
import type { RenderedCommand } from '../../testbed/aws';
import { documentsOf, renderCommand } from '../../testbed/aws/document';
import type { Deployment } from '../../testbed/deployment';
import type { Node } from '../../testbed/engines';
import { pushEvent } from '../../testbed/engines';
import { parseReport } from '../../testbed/report';

jest.setTimeout(120_000);

const TRACE = '/tmp/hostile';
/** Some would leave a trace if a shell ever saw them; all are no tags. */
const HOSTILE_TAGS: [string, string][] = [
  ['a second command', `latest;touch ${TRACE}`],
  ['a command substitution', `$(touch ${TRACE})`],
  ['backquotes', `\`touch ${TRACE}\``],
  ['a quote', `latest' ; touch ${TRACE} #`],
  ['a double quote', `latest" ; touch ${TRACE} #`],
  ['a second line', `latest\ntouch ${TRACE}`],
  ['a newline at its end', 'latest\n'],
  ['JSON of another parameter', `v1"],"Repository":["hostile$(touch ${TRACE})`],
  ['the name of a parameter in braces', '{{ Images }}'],
  ['a path', '../../etc/passwd'],
  ['an option after a space', 'latest --all'],
  ['a hyphen at its start', '-latest'],
  ['a letter beyond ASCII', 'l\u00e1test'],
  ['129 characters', 'a'.repeat(129)],
];
const DIGEST = `sha256:${'0'.repeat(64)}`;

onRealNodes('hostile input', bed => {
  let deployment: Deployment;
  let node: Node;

  beforeAll(async () => {
    deployment = await bed.deployPrefetcher(stack => ({ images: [newest(stack, 'hostile')] }));
    node = await bed.addNode(deployment);
  }, 60_000);

  afterEach(() => expect(fs.existsSync(node.hostPath(TRACE))).toBe(false));

  const event = (tag: string) => {
    const { account, region } = bed.testbed.ecr;
    return pushEvent({ account, region, repository: 'hostile', tag, digest: DIGEST, mediaType: 'application/vnd.oci.image.manifest.v1+json' });
  };
  const commandDocument = () => [...documentsOf(deployment.plane.template).values()].find(({ type }) => type === 'Command')!;
  /** The script and environment of an ordinary push. */
  const ordinaryCommand = async (): Promise<RenderedCommand> => (await deployment.plane.explain(event('latest'))).commands[0];
  /** The script of a document that was deployed with that setting. */
  const withSetting = (script: string, name: string, value: string) => script.replace(new RegExp(`^${name}=.*$`, 'm'), () => `${name}=${value}`);
  const host = () => bed.testbed.ecr.registryHost;

  test.each(HOSTILE_TAGS)('an event whose tag has %s is refused by the runbook, and reaches no node', async (_, tag) => {
    const result = await deployment.plane.putEvent(event(tag));
    expect(result.deliveries.map(({ status, reason }) => ({ status, reason })))
      .toEqual([{ status: 'Failed', reason: expect.stringMatching(/must match|takes exactly one value|must be a JSON object|unknown parameter/) }]);
    expect(runsOfEvent(result)).toEqual([]);
  });

  test.each(HOSTILE_TAGS)('a pushed image whose tag has %s is refused by the command document', (_, tag) => {
    expect(() => commandDocument().withDefaults({ Pushed: `${host()}/hostile:${tag}` })).toThrow('parameter Pushed: must match');
  });

  test.each(HOSTILE_TAGS)('a pushed image whose tag has %s is refused by the node program', async (_, tag) => {
    const { script, env } = await ordinaryCommand();
    const { exitCode, stdout, stderr } = await node.run(script, { ...env, SSM_Pushed: `${host()}/hostile:${tag}` });
    expect({ exitCode, stderr, error: parseReport(stdout).summary.error })
      .toEqual({ exitCode: 2, stderr: expect.stringContaining('Pushed is'), error: expect.stringMatching(/^Pushed is .* allowed is/) });
  });

  test.each(HOSTILE_TAGS.map(([what, tag]) => [`an image whose tag has ${what}`, `HOST/hostile:${tag}`]).concat(
    HOSTILE_TAGS.filter(([, tag]) => /[^\w.*-]/.test(tag)).map(([what, tag]) => [`a pattern that has ${what}`, `HOST/hostile?newest=1&include=${tag}`]), [
      ['a short name', 'hostile:v1'],
      ['an image without a tag', 'HOST/hostile'],
      ['an upper-case repository', 'HOST/Hostile:v1'],
      ['half a digest', 'HOST/hostile@sha256:abc'],
      ['the newest 0', 'HOST/hostile?newest=0'],
      ['an unknown condition', 'HOST/hostile?newest=1&owner=all'],
      ['the newest of another kind of registry', 'public.example.com/hostile?newest=1'],
      ['two spaces', 'HOST/hostile:v1  HOST/hostile:v2'],
    ]))('a wanted list with %s is refused by the node program', async (_, word) => {
    const { script, env } = await ordinaryCommand();
    const { exitCode, stdout, stderr } = await node.run(withSetting(script, 'Image', word.replace(/HOST/g, host())), { ...env, SSM_Pushed: '' });
    expect({ exitCode, stderr, error: parseReport(stdout).summary.error })
      .toEqual({ exitCode: 2, stderr: expect.stringContaining(' is '), error: expect.stringMatching(/^(Image is|a setting is called) .* allowed (is|are)/) });
  });

  test.each([
    ['Owner', 'me;reboot'], ['Owner', ''], ['ParallelPulls', '17'], ['ParallelPulls', '0'], ['PinImages', 'yes'], ['MaxDiskUsage', '101'],
    ['MaxDiskUsage', '0'], ['TimeoutSeconds', '59'], ['TimeoutSeconds', '172801'], ['TimeoutSeconds', '1e5'],
  ])('%s %j is refused by the node program', async (name, value) => {
    const { script, env } = await ordinaryCommand();
    const { exitCode, stdout } = await node.run(withSetting(script, name, value), env);
    expect({ exitCode, error: parseReport(stdout).summary.error }).toEqual({ exitCode: 2, error: expect.stringMatching(new RegExp(`^${name} is .* allowed is`)) });
  });

  test('an old agent, which pastes parameters into the script, gets none that a shell would read', async () => {
    const document = commandDocument();
    const values = document.withDefaults({ Pushed: `${host()}/hostile:latest` });
    const { script } = renderCommand(document, values, { platform: 'Linux', version: 'old', env: {} })!;
    const pasted = script.split('\n').map(line => /^: \$\{SSM_\w+="(.*)"\}$/.exec(line)?.[1]).filter(value => value !== undefined);
    expect(pasted).toHaveLength(Object.keys(document.parameters).length);
    for (const value of pasted) {
      expect(value).toMatch(/^[A-Za-z0-9 ._:/@,?=&*-]*$/);
    }
  });

  test('an ordinary tag passes all of this', async () => {
    const pushed = await bed.push('hostile', 'v1');
    expect(only(runsOfEvent(await deployment.plane.putEvent(pushed.event)))).toMatchObject({ status: 'Success', outcomes: { [pushed.reference]: 'pulled' } });
  });
});
