"""Everything that the library offers, in one stack: examples/whole-api in Python."""

from pathlib import Path

from aws_cdk import App, Duration, Stack
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecr as ecr
from aws_cdk import aws_ecr_assets as ecr_assets
from aws_cdk import aws_eks_v2 as eks
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sqs as sqs
from cdk_eks_image_prefetcher import (
    ImagePrefetcher,
    ImageSelection,
    NodeLimit,
    NodeSelection,
    TagFilter,
)

app = App()
stack = Stack(app, "WholeApi")

cluster = eks.Cluster(
    stack,
    "Cluster",
    version=eks.KubernetesVersion.V1_34,
    default_capacity_type=eks.DefaultCapacityType.NODEGROUP,
    default_capacity=0,
)
gpu_nodes = cluster.add_nodegroup_capacity("Gpu", ami_type=eks.NodegroupAmiType.AL2023_X86_64_NVIDIA)
# aws-cdk-lib names some parameters otherwise in Role than in IRole, which pyright (not mypy) takes for different methods.
node_role: iam.IRole = iam.Role(  # pyright: ignore[reportAssignmentType]
    stack,
    "NodeRole",
    assumed_by=iam.ServicePrincipal("ec2.amazonaws.com"),  # pyright: ignore[reportArgumentType]
    managed_policies=[
        iam.ManagedPolicy.from_aws_managed_policy_name("AmazonEKSWorkerNodePolicy"),
        iam.ManagedPolicy.from_aws_managed_policy_name("AmazonEKS_CNI_Policy"),
        iam.ManagedPolicy.from_aws_managed_policy_name("AmazonEC2ContainerRegistryPullOnly"),
    ],
)
training = ecr.Repository(stack, "Training")
inference = ecr.Repository(stack, "Inference")

prefetcher = ImagePrefetcher(
    stack,
    "Prefetcher",
    cluster=cluster,
    nodegroups=[gpu_nodes],
    nodes=[
        NodeSelection.nodegroup_names(["batch", "reports"], node_role=node_role),
        NodeSelection.karpenter_node_pools(["gpu"], node_role=node_role),
        NodeSelection.tags({"team": ["ml"], "stage": ["prod", "beta"]}, node_role=node_role),
    ],
    images=[
        ImageSelection.repository(training, keep=3, tags=TagFilter(include=["v*", "stable"], exclude=["*-rc"])),
        ImageSelection.tag(inference, "prod"),
        ImageSelection.digest(inference, "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"),
        ImageSelection.registry("public.ecr.aws/eks-distro/kubernetes/pause:3.10"),
        ImageSelection.pull_through_cache("docker-hub/library/redis", "7"),
        ImageSelection.docker_image_asset(
            ecr_assets.DockerImageAsset(stack, "Sidecar", directory=str(Path(__file__).parent / "sidecar"))
        ),
        ImageSelection.manifests(
            {"kind": "Pod", "spec": {"containers": [{"name": "app", "image": "quay.io/prometheus/node-exporter:v1.8.2"}]}}
        ),
    ],
    max_concurrency=NodeLimit.nodes(100),
    max_errors=NodeLimit.percent(10),
    reconcile_every=Duration.hours(1),
    timeout=Duration.minutes(20),
    parallel_pulls=4,
    pin_images=True,
    max_disk_usage=70,
    prefetch_on_push=True,
    reconcile=True,
    log_group=logs.LogGroup(stack, "Reports", retention=logs.RetentionDays.THREE_MONTHS),
    dead_letter_queue=sqs.Queue(stack, "LostPushes", enforce_ssl=True),
)

user_data = ec2.MultipartUserData()
prefetcher.add_boot_gate(user_data, max_wait=Duration.minutes(3), fast_image_pull=True)
ec2.LaunchTemplate(stack, "LaunchTemplate", user_data=user_data)

failed_runs = sqs.Queue(stack, "FailedRuns", enforce_ssl=True)
prefetcher.add_alarms(topic=sns.Topic(stack, "OnCall", enforce_ssl=True), min_nodes=3)
prefetcher.add_dashboard()
prefetcher.on_run_failed("RunFailed", target=targets.SqsQueue(failed_runs))  # pyright: ignore[reportArgumentType]
prefetcher.metric_push_to_cached_seconds(period=Duration.hours(1)).create_alarm(
    stack, "SlowPush", threshold=600, evaluation_periods=1
)
prefetcher.grants.start(
    iam.Role(stack, "Pipeline", assumed_by=iam.ServicePrincipal("codebuild.amazonaws.com"))  # pyright: ignore[reportArgumentType]
)

app.synth()
