import type { IApiCall, IDeployAssert } from '@aws-cdk/integ-tests-alpha';
import { ExpectedResult, Match } from '@aws-cdk/integ-tests-alpha';
import { Duration } from 'aws-cdk-lib';

const PATIENCE = { totalTimeout: Duration.minutes(15), interval: Duration.seconds(20) };

/** A node has each of these images, or gets them within ten minutes. */
export function hasImages(...images: string[]): string[] {
  return images.map(image => `timeout 600 sh -c 'until ctr --namespace k8s.io images list --quiet | grep --fixed-strings --line-regexp --quiet "${image}"; do sleep 5; done'`);
}

/** The kubelet of a node was started after the gate had ended. */
export const WAITED_AT_GATE = [
  'since() { date --date "$(systemctl show --property "$2" --value "$1")" +%s; }',
  'test "$(since kubelet.service ExecMainStartTimestamp)" -ge "$(since image-prefetcher-boot-gate.service ActiveEnterTimestamp)"',
];

/** Waits until Systems Manager has so many nodes with these tags, runs the script on them, and expects it to succeed on each. */
export function assertOnNodes(assertions: IDeployAssert, count: number, tags: Record<string, string>, script: string[]): IApiCall[] {
  const registered = assertions.awsApiCall('SSM', 'describeInstanceInformation', {
    Filters: Object.entries(tags).map(([key, value]) => ({ Key: `tag:${key}`, Values: [value] })),
  }).assertAtPath(`InstanceInformationList.${count - 1}.PingStatus`, ExpectedResult.stringLikeRegexp('Online')).waitForAssertions(PATIENCE);
  const command = assertions.awsApiCall('SSM', 'sendCommand', {
    DocumentName: 'AWS-RunShellScript',
    Targets: Object.entries(tags).map(([key, value]) => ({ Key: `tag:${key}`, Values: [value] })),
    Parameters: { commands: ['set -eu', ...script] },
  }, ['Command.CommandId']);
  const succeeded = assertions.awsApiCall('SSM', 'listCommands', { CommandId: command.getAttString('Command.CommandId') })
    .expect(ExpectedResult.objectLike({ Commands: [Match.objectLike({ Status: 'Success', TargetCount: count, CompletedCount: count })] }))
    .waitForAssertions(PATIENCE);
  return [registered, command, succeeded];
}
