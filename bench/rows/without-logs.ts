import type { Deployment } from '../../testbed/deployment';
import type { Node, PushedImage } from '../../testbed/engines';
import { canMatchEvents, silentHost } from '../../testbed/engines';
import { forget, pushRuns } from '../bed';
import { inTurns } from '../pairs';
import type { Row } from '../row';
import type { UntilUsable } from '../usable';
import { untilUsable } from '../usable';

const HOST = 'logs.silent.example';

/** From the push, to that node alone. */
function pushTo(deployment: Deployment, node: Node, pushed: PushedImage): Promise<UntilUsable> {
  deployment.fleet.splice(0, Infinity, node);
  return untilUsable(node, pushed.reference, () => pushRuns(deployment, pushed));
}

export const withoutLogs: Row = {
  name: 'without-logs',
  what: 'push to image usable, on a node whose packets to CloudWatch Logs are dropped',
  against: 'the same push to a node that reaches it',
  limit: { ratio: 1.05, plus: 0.5 },
  missing: () => canMatchEvents() ? [] : ['AWS\'s event-ruler is not there'],
  async measure(bed) {
    const { workspace, moto, logs } = bed.testbed;
    const deployment = await bed.deploy('WithoutLogs', { repositoryName: 'without-logs' });
    await deployment.createLogGroups(logs);
    const reaches = await bed.addNode(deployment);
    const without = await bed.addNode(deployment, { aws: { AWS_ENDPOINT_URL: moto.endpoint, AWS_ENDPOINT_URL_LOGS: `https://${HOST}` } });
    try {
      await silentHost(workspace, without, HOST);
      const pushed = await bed.pushLarge('without-logs');
      const whole: Record<string, number[]> = { 'whole run, without Logs': [], 'whole run, with Logs': [] };
      const contender = (name: string, node: Node) => ({
        name,
        run: async () => {
          const took = await pushTo(deployment, node, pushed);
          whole[`whole run, ${name}`].push(took.whole);
          return took.usable;
        },
        forget: () => forget(node, pushed.reference),
      });
      // The event matcher starts with its first question.
      await pushTo(deployment, reaches, pushed);
      await forget(reaches, pushed.reference);
      const samples = await inTurns(bed.sizes.rounds, contender('without Logs', without), contender('with Logs', reaches));
      const { template } = deployment.plane;
      const reported = new Set((await logs.events(template.ref(template.resources('AWS::Logs::LogGroup')[0].logicalId))).map(({ stream }) => stream));
      if (reported.size !== 1 || !reported.has(reaches.instanceId)) {
        throw new Error(`only ${reaches.name} should have reported, but ${[...reported].join(', ')} did`);
      }
      return { samples: { ...samples, ...whole }, unit: 's', figures: { megabytes: bed.sizes.megabytes } };
    } finally {
      for (const node of [reaches, without]) {
        await node.stop();
      }
    }
  },
};
