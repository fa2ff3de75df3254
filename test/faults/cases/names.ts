import type { FaultCase } from '../fault-case';

/** What answers to names: the registry's, ECR's API and that of CloudWatch Logs. */
export const NAMES: FaultCase[] = [
  {
    fault: 'DNS answers SERVFAIL',
    inject: ({ ground }) => { ground.names.mode = 'fails'; },
    status: 'Failed',
    outcome: 'failed',
    says: /lookup registry|Could not resolve/,
    // It cannot report either.
    alarms: ['MissingReports'],
  },
  {
    fault: 'DNS does not answer',
    inject: ({ ground }) => { ground.names.mode = 'silent'; },
    status: 'Failed',
    outcome: 'failed',
    says: /lookup registry|Could not resolve/,
    alarms: ['MissingReports'],
  },
  {
    fault: 'DNS fails and comes back while the node tries',
    inject: ({ ground }) => { ground.names.mode = 'fails'; },
    meanwhile: async scene => {
      await scene.untilSeen(() => scene.pulls().length > 0);
      await scene.untilSeen(() => scene.pulls().length === 0);
      scene.ground.names.mode = 'answers';
    },
    status: 'Success',
    outcome: 'pulled',
  },
];
