import type { FaultCase } from '../fault-case';

/** What answers to names: the registry's, ECR's API and that of CloudWatch Logs. */
export const NAMES: FaultCase[] = [
  {
    fault: 'DNS answers SERVFAIL',
    inject: ({ ground }) => { ground.names.mode = 'fails'; },
    status: 'Failed',
    outcome: 'failed',
    says: /lookup (registry|ecr)|name resolution/,
    // It cannot report either.
    alarms: ['MissingReports'],
  },
  {
    fault: 'DNS does not answer',
    inject: ({ ground }) => { ground.names.mode = 'silent'; },
    status: 'Failed',
    outcome: 'failed',
    says: /lookup (registry|ecr)|name resolution/,
    alarms: ['MissingReports'],
  },
  {
    fault: 'DNS fails and comes back while the node tries',
    inject: ({ ground: { names } }) => {
      names.asked.length = 0;
      names.mode = 'fails';
    },
    meanwhile: async scene => {
      const { names } = scene.ground;
      // One pull asks for both kinds of addresses, each twice: this is the next one.
      await scene.untilSeen(() => names.asked.filter(name => name === 'registry.internal').length > 4);
      names.mode = 'answers';
    },
    status: 'Success',
    outcome: 'pulled',
  },
];
