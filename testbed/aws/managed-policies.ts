/** What the AWS managed policies of a node role allow, as far as prefetching needs it (all on every resource). */
export const AWS_MANAGED_POLICIES: Record<string, string[]> = {
  AmazonSSMManagedInstanceCore: [
    'ssm:DescribeAssociation', 'ssm:GetDocument', 'ssm:DescribeDocument', 'ssm:GetManifest', 'ssm:GetParameter',
    'ssm:GetParameters', 'ssm:ListAssociations', 'ssm:ListInstanceAssociations', 'ssm:PutInventory',
    'ssm:PutComplianceItems', 'ssm:UpdateAssociationStatus', 'ssm:UpdateInstanceAssociationStatus',
    'ssm:UpdateInstanceInformation', 'ssmmessages:CreateControlChannel', 'ssmmessages:CreateDataChannel',
    'ssmmessages:OpenControlChannel', 'ssmmessages:OpenDataChannel', 'ec2messages:AcknowledgeMessage',
    'ec2messages:DeleteMessage', 'ec2messages:FailMessage', 'ec2messages:GetEndpoint', 'ec2messages:GetMessages',
    'ec2messages:SendReply',
  ],
  AmazonEC2ContainerRegistryReadOnly: [
    'ecr:GetAuthorizationToken', 'ecr:BatchCheckLayerAvailability', 'ecr:GetDownloadUrlForLayer',
    'ecr:GetRepositoryPolicy', 'ecr:DescribeRepositories', 'ecr:ListImages', 'ecr:DescribeImages',
    'ecr:BatchGetImage', 'ecr:GetLifecyclePolicy', 'ecr:GetLifecyclePolicyPreview', 'ecr:ListTagsForResource',
    'ecr:DescribeImageScanFindings',
  ],
  AmazonEC2ContainerRegistryPullOnly: [
    'ecr:GetAuthorizationToken', 'ecr:BatchImportUpstreamImage', 'ecr:BatchGetImage', 'ecr:GetDownloadUrlForLayer',
  ],
  AmazonEKSWorkerNodePolicy: ['ec2:Describe*', 'eks:DescribeCluster', 'eks-auth:AssumeRoleForPodIdentity'],
  AmazonEKS_CNI_Policy: ['ec2:AssignPrivateIpAddresses', 'ec2:AttachNetworkInterface', 'ec2:CreateNetworkInterface',
    'ec2:DeleteNetworkInterface', 'ec2:Describe*', 'ec2:DetachNetworkInterface', 'ec2:ModifyNetworkInterfaceAttribute',
    'ec2:UnassignPrivateIpAddresses', 'ec2:CreateTags'],
};
