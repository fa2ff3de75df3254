import type { FaultCase } from '../fault-case';
import type { Scene } from '../scene';

const FOLDER = '/etc/eks/image-credential-provider';

/** Puts a script in the place of the kubelet's plugin; the plugin itself is beside it. */
const plugin = (script: string) => async (scene: Scene) => {
  await scene.on(`cd ${FOLDER} && mv ecr-credential-provider real && printf '%s\\n' '#!/bin/sh' '${script}' >ecr-credential-provider && chmod 755 ecr-credential-provider`);
  return () => scene.on(`cd ${FOLDER} && mv real ecr-credential-provider`);
};

/** The kubelet's credential plugin. */
export const CREDENTIALS: FaultCase[] = [
  {
    fault: 'The credential plugin is missing',
    inject: async scene => {
      await scene.on(`cd ${FOLDER} && mv ecr-credential-provider real`);
      return () => scene.on(`cd ${FOLDER} && mv real ecr-credential-provider`);
    },
    status: 'Failed',
    outcome: 'failed',
    says: /the credential provider .*ecr-credential-provider cannot be run: No such file or directory/,
  },
  {
    fault: 'The credential plugin is slow',
    inject: plugin(`sleep 5; exec ${FOLDER}/real`),
    status: 'Success',
    outcome: 'pulled',
  },
  {
    fault: 'The credential plugin answers garbage',
    inject: plugin('echo "{]"'),
    status: 'Failed',
    outcome: 'failed',
    says: /the credential provider ecr-credential-provider answered nonsense/,
  },
  {
    fault: 'The credential plugin hangs',
    seconds: 60,
    inject: plugin('exec sleep 1000'),
    status: 'Failed',
    outcome: 'failed',
    says: /the credential provider ecr-credential-provider, asked for 123456789012\.dkr\.ecr\.us-east-1\.amazonaws\.com, gave no answer within [0-9.]+ s/,
  },
  {
    fault: 'The credential plugin crashes, twice',
    inject: plugin(`[ -e /tmp/second ] && rm /tmp/second && exec ${FOLDER}/real; [ -e /tmp/first ] && mv /tmp/first /tmp/second || touch /tmp/first; kill -SEGV $$`),
    status: 'Success',
    outcome: 'pulled',
  },
];
