/**
 * The commands that AWS's sample has Run Command run on a node at a push, whole and as it has them. `--hosts-dir` alone is ours: `ctr` reads
 * no registry configuration, and the registry here is not at its own name.
 *
 * @see https://aws.amazon.com/blogs/containers/start-pods-faster-by-prefetching-images/
 */
export function sampleCommands(registryHost: string, region: string, repository: string): string {
  return [
    `tag=$(aws ecr describe-images --repository-name ${repository} --region ${region} --query 'sort_by(imageDetails,& imagePushedAt)[-1].imageTags[0]' --output text)`,
    `ctr -n k8s.io images pull --hosts-dir /etc/containerd/certs.d -u AWS:$(aws ecr get-login-password --region ${region}) ${registryHost}/${repository}:$tag`,
  ].join('\n');
}
