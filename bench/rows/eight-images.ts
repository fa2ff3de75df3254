import { forget, joinRun, repository, script } from '../bed';
import { inTurns } from '../pairs';
import type { Row } from '../row';
import { sampleCommands } from '../sample';

const REPOSITORIES = [...Array(8).keys()].map(number => `eight-${number}`);

export const eightImages: Row = {
  name: 'eight-images',
  what: 'eight images',
  against: 'the AWS sample\'s lines, one image after the other',
  limit: { ratio: 0.5 },
  async measure(bed) {
    const deployment = await bed.deploy('Eight', { props: stack => ({ repositories: REPOSITORIES.map(name => repository(stack, name)) }) });
    const node = await bed.addNode(deployment);
    try {
      const references: string[] = [];
      for (const name of REPOSITORIES) {
        references.push((await bed.push(name, 'v1', bed.sizes.smallMegabytes)).reference);
      }
      const { registryHost, region } = bed.testbed.ecr;
      const forgetThem = () => forget(node, ...references);
      const samples = await inTurns(bed.sizes.rounds,
        { name: 'node program', run: async () => void await joinRun(deployment, node), forget: forgetThem },
        {
          name: 'sample',
          run: async () => void await script(node, REPOSITORIES.map(name => sampleCommands(registryHost, region, name)).join('\n')),
          forget: forgetThem,
        });
      return { samples, unit: 's', figures: { megabytesEach: bed.sizes.smallMegabytes } };
    } finally {
      await node.stop();
    }
  },
};
