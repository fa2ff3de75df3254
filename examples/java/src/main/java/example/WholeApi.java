package example;

import io.github.ownerplaceholder.eksimageprefetcher.AlarmOptions;
import io.github.ownerplaceholder.eksimageprefetcher.BootGateOptions;
import io.github.ownerplaceholder.eksimageprefetcher.ImagePrefetcher;
import io.github.ownerplaceholder.eksimageprefetcher.ImageSelection;
import io.github.ownerplaceholder.eksimageprefetcher.NodeLimit;
import io.github.ownerplaceholder.eksimageprefetcher.NodeSelection;
import io.github.ownerplaceholder.eksimageprefetcher.NodeSelectionOptions;
import io.github.ownerplaceholder.eksimageprefetcher.RepositoryImagesOptions;
import io.github.ownerplaceholder.eksimageprefetcher.TagFilter;
import java.util.List;
import java.util.Map;
import software.amazon.awscdk.App;
import software.amazon.awscdk.Duration;
import software.amazon.awscdk.Stack;
import software.amazon.awscdk.services.cloudwatch.CreateAlarmOptions;
import software.amazon.awscdk.services.cloudwatch.MetricOptions;
import software.amazon.awscdk.services.ec2.LaunchTemplate;
import software.amazon.awscdk.services.ec2.MultipartUserData;
import software.amazon.awscdk.services.ecr.Repository;
import software.amazon.awscdk.services.ecr.assets.DockerImageAsset;
import software.amazon.awscdk.services.eks_v2.Cluster;
import software.amazon.awscdk.services.eks_v2.DefaultCapacityType;
import software.amazon.awscdk.services.eks_v2.KubernetesVersion;
import software.amazon.awscdk.services.eks_v2.Nodegroup;
import software.amazon.awscdk.services.eks_v2.NodegroupAmiType;
import software.amazon.awscdk.services.eks_v2.NodegroupOptions;
import software.amazon.awscdk.services.events.OnEventOptions;
import software.amazon.awscdk.services.events.targets.SqsQueue;
import software.amazon.awscdk.services.iam.ManagedPolicy;
import software.amazon.awscdk.services.iam.Role;
import software.amazon.awscdk.services.iam.ServicePrincipal;
import software.amazon.awscdk.services.logs.LogGroup;
import software.amazon.awscdk.services.logs.RetentionDays;
import software.amazon.awscdk.services.sns.Topic;
import software.amazon.awscdk.services.sqs.Queue;

/** Everything that the library offers, in one stack: examples/whole-api in Java. */
public final class WholeApi {
  public static void main(final String[] args) {
    App app = new App();
    Stack stack = new Stack(app, "WholeApi");

    Cluster cluster = Cluster.Builder.create(stack, "Cluster")
        .version(KubernetesVersion.V1_34)
        .defaultCapacityType(DefaultCapacityType.NODEGROUP)
        .defaultCapacity(0)
        .build();
    Nodegroup gpuNodes = cluster.addNodegroupCapacity("Gpu", NodegroupOptions.builder()
        .amiType(NodegroupAmiType.AL2023_X86_64_NVIDIA)
        .build());
    Role nodeRole = Role.Builder.create(stack, "NodeRole")
        .assumedBy(new ServicePrincipal("ec2.amazonaws.com"))
        .managedPolicies(List.of(
            ManagedPolicy.fromAwsManagedPolicyName("AmazonEKSWorkerNodePolicy"),
            ManagedPolicy.fromAwsManagedPolicyName("AmazonEKS_CNI_Policy"),
            ManagedPolicy.fromAwsManagedPolicyName("AmazonEC2ContainerRegistryPullOnly")))
        .build();
    NodeSelectionOptions withNodeRole = NodeSelectionOptions.builder().nodeRole(nodeRole).build();
    Repository training = new Repository(stack, "Training");
    Repository inference = new Repository(stack, "Inference");

    ImagePrefetcher prefetcher = ImagePrefetcher.Builder.create(stack, "Prefetcher")
        .cluster(cluster)
        .nodegroups(List.of(gpuNodes))
        .nodes(List.of(
            NodeSelection.nodegroupNames(List.of("batch", "reports"), withNodeRole),
            NodeSelection.karpenterNodePools(List.of("gpu"), withNodeRole),
            NodeSelection.tags(Map.of("team", List.of("ml"), "stage", List.of("prod", "beta")), withNodeRole)))
        .images(List.of(
            ImageSelection.repository(training, RepositoryImagesOptions.builder()
                .keep(3)
                .tags(TagFilter.builder().include(List.of("v*", "stable")).exclude(List.of("*-rc")).build())
                .build()),
            ImageSelection.tag(inference, "prod"),
            ImageSelection.digest(inference, "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"),
            ImageSelection.registry("public.ecr.aws/eks-distro/kubernetes/pause:3.10"),
            ImageSelection.pullThroughCache("docker-hub/library/redis", "7"),
            ImageSelection.dockerImageAsset(
                DockerImageAsset.Builder.create(stack, "Sidecar").directory("sidecar").build()),
            ImageSelection.manifests(Map.of("kind", "Pod", "spec", Map.of("containers", List.of(
                Map.of("name", "app", "image", "quay.io/prometheus/node-exporter:v1.8.2")))))))
        .maxConcurrency(NodeLimit.nodes(100))
        .maxErrors(NodeLimit.percent(10))
        .reconcileEvery(Duration.hours(1))
        .timeout(Duration.minutes(20))
        .parallelPulls(4)
        .pinImages(true)
        .maxDiskUsage(70)
        .prefetchOnPush(true)
        .reconcile(true)
        .logGroup(LogGroup.Builder.create(stack, "Reports").retention(RetentionDays.THREE_MONTHS).build())
        .deadLetterQueue(Queue.Builder.create(stack, "LostPushes").enforceSsl(true).build())
        .build();

    MultipartUserData userData = new MultipartUserData();
    prefetcher.addBootGate(userData, BootGateOptions.builder()
        .maxWait(Duration.minutes(3))
        .fastImagePull(true)
        .build());
    LaunchTemplate.Builder.create(stack, "LaunchTemplate").userData(userData).build();

    Queue failedRuns = Queue.Builder.create(stack, "FailedRuns").enforceSsl(true).build();
    prefetcher.addAlarms(AlarmOptions.builder()
        .topic(Topic.Builder.create(stack, "OnCall").enforceSsl(true).build())
        .minNodes(3)
        .build());
    prefetcher.addDashboard();
    prefetcher.onRunFailed("RunFailed", OnEventOptions.builder().target(new SqsQueue(failedRuns)).build());
    prefetcher.metricPushToCachedSeconds(MetricOptions.builder().period(Duration.hours(1)).build())
        .createAlarm(stack, "SlowPush", CreateAlarmOptions.builder().threshold(600).evaluationPeriods(1).build());
    prefetcher.getGrants().start(Role.Builder.create(stack, "Pipeline")
        .assumedBy(new ServicePrincipal("codebuild.amazonaws.com"))
        .build());

    app.synth();
  }

  private WholeApi() {
  }
}
