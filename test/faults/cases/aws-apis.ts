import { awsError, calls, every, first } from './rules';
import type { ProxiedRequest } from '../../../testbed/engines';
import type { FaultCase } from '../fault-case';

const isDescribe = calls('DescribeImages');
const isToken = calls('GetAuthorizationToken');
const throttled = awsError('ThrottlingException', 'Rate exceeded');
const denied = (action: string) => awsError('AccessDeniedException', `User: arn:aws:sts::123456789012:assumed-role/node is not authorized to perform: ${action}`);

/** ECR's API: DescribeImages, and the tokens that the credential plugin asks for. */
export const ECR_API: FaultCase[] = [
  {
    fault: 'ECR throttles DescribeImages, for a while',
    moment: 'reconcile',
    inject: ({ ecr }) => { ecr.fault = first(2, isDescribe, throttled); },
    status: 'Success',
    outcome: 'pulled',
  },
  {
    fault: 'ECR throttles every DescribeImages',
    moment: 'reconcile',
    inject: ({ ecr }) => { ecr.fault = every(isDescribe, throttled); },
    status: 'Failed',
    says: /failed: DescribeImages: ThrottlingException/,
    alarms: ['Failures'],
  },
  {
    fault: 'The node may not call ecr:DescribeImages',
    moment: 'reconcile',
    inject: ({ ecr }) => { ecr.fault = every(isDescribe, denied('ecr:DescribeImages')); },
    status: 'Failed',
    says: /allow ecr:DescribeImages on this repository to the role of this node/,
    alarms: ['Failures'],
  },
  {
    fault: 'The node may not call ecr:DescribeImages, at a push',
    inject: ({ ecr }) => { ecr.fault = every(isDescribe, denied('ecr:DescribeImages')); },
    status: 'Success',
    outcome: 'pulled',
  },
  {
    fault: 'DescribeImages hangs',
    moment: 'reconcile',
    inject: ({ ecr }) => { ecr.fault = every(isDescribe, { kind: 'stall' }); },
    status: 'Failed',
    says: /failed: .*did not answer|failed: .*timed out/,
    alarms: ['Failures'],
  },
  {
    fault: 'DescribeImages answers with an empty object',
    moment: 'reconcile',
    inject: ({ ecr }) => { ecr.fault = every(isDescribe, { kind: 'status', status: 200, body: {} }); },
    status: 'Failed',
    says: /DescribeImages answered nonsense/,
    alarms: ['Failures'],
  },
  {
    fault: 'ECR says that the repository has no images',
    moment: 'reconcile',
    inject: ({ ecr }) => { ecr.fault = every(isDescribe, { kind: 'status', status: 200, body: { imageDetails: [] } }); },
    status: 'Success',
    says: /^$/,
  },
  {
    fault: 'ECR gives no token: GetAuthorizationToken is denied',
    inject: ({ ecr }) => { ecr.fault = every(isToken, denied('ecr:GetAuthorizationToken')); },
    status: 'Failed',
    outcome: 'failed',
    says: /not authorized to perform: ecr:GetAuthorizationToken/,
  },
  {
    fault: 'ECR throttles GetAuthorizationToken, for a while',
    inject: ({ ecr }) => { ecr.fault = first(4, isToken, throttled); },
    status: 'Success',
    outcome: 'pulled',
  },
  {
    fault: 'GetAuthorizationToken hangs',
    seconds: 60,
    inject: ({ ecr }) => { ecr.fault = every(isToken, { kind: 'stall' }); },
    status: 'Failed',
    outcome: 'failed',
    says: /ecr-credential-provider/,
  },
];

const isCredentials = ({ path }: ProxiedRequest) => path.includes('/iam/security-credentials');

/** The instance's metadata, of which the node's credentials are. */
export const METADATA: FaultCase[] = [
  {
    fault: 'The metadata service takes 0.2 seconds for each answer',
    moment: 'reconcile',
    inject: ({ metadata }) => { metadata.fault = every(() => true, { kind: 'delay', milliseconds: 200 }); },
    status: 'Success',
    outcome: 'pulled',
  },
  {
    // The plugin waits a second for it, as it does for the kubelet.
    fault: 'The metadata service takes two seconds for each answer',
    moment: 'reconcile',
    inject: ({ metadata }) => { metadata.fault = every(() => true, { kind: 'delay', milliseconds: 2_000 }); },
    status: 'Failed',
    outcome: 'failed',
    says: /no EC2 IMDS role found/,
  },
  {
    fault: 'The metadata service hangs',
    moment: 'reconcile',
    inject: ({ metadata }) => { metadata.fault = every(() => true, { kind: 'stall' }); },
    status: 'Failed',
    says: /failed: /,
    // Without credentials nothing is reported to the log group.
    alarms: ['MissingReports'],
  },
  {
    fault: 'The metadata service knows no role yet, for a while',
    moment: 'reconcile',
    inject: ({ metadata }) => { metadata.fault = first(2, isCredentials, { kind: 'status', status: 404 }); },
    status: 'Success',
    outcome: 'pulled',
  },
];

/** CloudWatch Logs never makes a run fail. */
export const LOGS: FaultCase[] = [
  {
    fault: 'CloudWatch Logs cannot be reached',
    inject: ({ logs }) => { logs.fault = every(() => true, { kind: 'stall' }); },
    status: 'Success',
    outcome: 'pulled',
    says: /unreported: /,
    alarms: ['MissingReports'],
  },
  {
    fault: 'The node may not write to the log group',
    inject: ({ logs }) => { logs.fault = every(() => true, denied('logs:PutLogEvents')); },
    status: 'Success',
    outcome: 'pulled',
    says: /unreported: PutLogEvents: AccessDeniedException/,
    alarms: ['MissingReports'],
  },
  {
    fault: 'CloudWatch Logs throttles',
    inject: ({ logs }) => { logs.fault = every(() => true, throttled); },
    status: 'Success',
    outcome: 'pulled',
    says: /unreported: PutLogEvents: ThrottlingException/,
    alarms: ['MissingReports'],
  },
];
