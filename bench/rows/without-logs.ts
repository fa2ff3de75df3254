import type { Deployment } from '../../testbed/deployment';
import type { Node, PushedImage } from '../../testbed/engines';
import { canMatchEvents, silentHost, waitFor } from '../../testbed/engines';
import { forget, pushRuns } from '../bed';
import { inTurns } from '../pairs';
import type { Row } from '../row';

const HOST = 'logs.silent.example';

/** Waits in the node, without asking again and again, until containerd says that it has made that image. */
const WATCH = `
exec 3< <(exec ctr --namespace k8s.io events)
grep --max-count=1 "/images/create .*$1" <&3
kill $!
`;

/** Seconds from the push to an image that the node's CRI has, and those of the whole run. */
async function pushTo(deployment: Deployment, node: Node, pushed: PushedImage): Promise<{ usable: number; whole: number }> {
  deployment.fleet.splice(0, Infinity, node);
  const created = node.exec(['bash', '-c', WATCH, 'watch', pushed.reference]);
  await waitFor('containerd\'s events to be watched', () => node.processes().some(({ argv }) => argv[0] === 'ctr' && argv.includes('events')) || undefined);
  const began = process.hrtime.bigint();
  const seconds = () => Number(process.hrtime.bigint() - began) / 1e9;
  const running = pushRuns(deployment, pushed).then(seconds);
  await created;
  await waitFor(`the CRI of ${node.name} to have ${pushed.reference}`, async () => await node.imageStatus(pushed.reference) !== undefined || undefined);
  return { usable: seconds(), whole: await running };
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
