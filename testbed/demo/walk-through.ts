import type { Stack } from 'aws-cdk-lib';
import type { Progress } from './progress';
import type { CommandTarget } from '../aws';
import { Deployment } from '../deployment';
import { ACCOUNT, canMatchEvents, EventRuler, pushEvent, REGION } from '../engines';

export interface WalkThrough {
  /** Why nothing was run. */
  readonly missing: string[];
  /** What each node would run. */
  readonly commands: { readonly node: string; readonly environment: Record<string, string> }[];
  readonly untouchedNodes: { readonly name: string }[];
}

/** Where real nodes can't run: synthesises, walks a push through rule and runbook, and says what each node would run. */
export async function walkThrough(stack: Stack, missing: string[], progress: Progress): Promise<WalkThrough> {
  progress.say('this machine cannot run real nodes, so the demo only walks an event through what the app synthesised. Missing:');
  missing.forEach(reason => progress.say(`  - ${reason}`));

  const ruler = new EventRuler();
  // Without the real matcher the event is taken to match, which the list of what is missing says.
  const deployment = new Deployment(stack, canMatchEvents() ? ruler : { matches: () => true });
  deployment.fleet.push(...[['gpu-1', 'Gpu'], ['gpu-2', 'Gpu'], ['web-1', 'Web']].map(([name, part]) => plannedNode(name, deployment.nodegroupTags(part))));

  progress.say('event: training:v1 is pushed to ECR');
  const event = pushEvent({
    account: ACCOUNT, region: REGION, repository: 'training', tag: 'v1', digest: `sha256:${'0'.repeat(64)}`, mediaType: 'application/vnd.oci.image.manifest.v1+json',
  });
  const { commands } = await deployment.plane.explain(event, { onProgress: progress.step });
  await ruler.stop();
  for (const { node, env, script } of commands) {
    progress.say(`${node} would run the node program (${script.split('\n').length} lines) with`);
    Object.entries(env).forEach(([name, value]) => progress.say(`    ${name}=${value}`));
  }
  const touched = new Set(commands.map(({ node }) => node));
  const untouchedNodes = deployment.fleet.filter(({ name }) => !touched.has(name)).map(({ name }) => ({ name }));
  untouchedNodes.forEach(({ name }) => progress.say(`${name} would run nothing`));
  return { missing, commands: commands.map(({ node, env }) => ({ node, environment: env })), untouchedNodes };
}

function plannedNode(name: string, tags: Record<string, string>): CommandTarget {
  return { name, tags, run: () => Promise.reject(new Error(`${name} is not real`)) };
}
