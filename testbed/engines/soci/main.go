// The SOCI snapshotter. The module of its own program is not published, so this one puts together the published packages:
// containerd's snapshots service, and the CRI image service that learns credentials from the pulls that go through it.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/awslabs/soci-snapshotter/config"
	"github.com/awslabs/soci-snapshotter/fs"
	"github.com/awslabs/soci-snapshotter/metadata"
	"github.com/awslabs/soci-snapshotter/service"
	"github.com/awslabs/soci-snapshotter/service/keychain/cri/v1"
	"github.com/awslabs/soci-snapshotter/ztoc"
	snapshots "github.com/containerd/containerd/api/services/snapshots/v1"
	"github.com/containerd/containerd/v2/contrib/snapshotservice"
	"github.com/containerd/containerd/v2/pkg/namespaces"
	bolt "go.etcd.io/bbolt"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	runtime "k8s.io/cri-api/pkg/apis/runtime/v1"
)

func main() {
	address := flag.String("address", "/run/soci-snapshotter-grpc/soci-snapshotter-grpc.sock", "socket of the snapshotter")
	configFile := flag.String("config", config.DefaultConfigPath, "configuration file")
	root := flag.String("root", config.DefaultSociSnapshotterRootPath, "folder of the snapshotter")
	flag.Parse()
	if err := serve(*address, *configFile, *root); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func serve(address, configFile, root string) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	cfg, err := config.NewConfigFromToml(configFile)
	if err != nil {
		return err
	}
	for _, folder := range []string{root, filepath.Dir(address)} {
		if err := os.MkdirAll(folder, 0o700); err != nil {
			return err
		}
	}
	credentials, images := cri.NewCRIKeychain(ctx, func() (runtime.ImageServiceClient, error) {
		connection, err := grpc.NewClient("unix://"+cfg.CRIKeychainConfig.ImageServicePath, grpc.WithTransportCredentials(insecure.NewCredentials()))
		if err != nil {
			return nil, err
		}
		return runtime.NewImageServiceClient(connection), nil
	})
	database, err := bolt.Open(filepath.Join(root, "metadata.db"), 0o600, nil)
	if err != nil {
		return err
	}
	defer database.Close()
	store := func(section *io.SectionReader, toc ztoc.TOC, options ...metadata.Option) (metadata.Reader, error) {
		return metadata.NewReader(database, section, toc, options...)
	}
	snapshotter, err := service.NewSociSnapshotterService(ctx, root, &cfg.ServiceConfig,
		service.WithCredsFuncs(credentials), service.WithFilesystemOptions(fs.WithMetadataStore(store)))
	if err != nil {
		return err
	}
	defer snapshotter.Close()
	server := grpc.NewServer(grpc.UnaryInterceptor(keepNamespace))
	runtime.RegisterImageServiceServer(server, images)
	snapshots.RegisterSnapshotsServer(server, snapshotservice.FromSnapshotter(snapshotter))
	_ = os.Remove(address)
	listener, err := net.Listen("unix", address)
	if err != nil {
		return err
	}
	go func() {
		<-ctx.Done()
		server.Stop()
	}()
	return server.Serve(listener)
}

// keepNamespace lets calls to containerd be made in the namespace of the call that they serve.
func keepNamespace(ctx context.Context, request any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
	if namespace, ok := namespaces.Namespace(ctx); ok {
		ctx = namespaces.WithNamespace(ctx, namespace)
	}
	return next(ctx, request)
}
