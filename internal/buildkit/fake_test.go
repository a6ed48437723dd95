package buildkit

import (
	"archive/tar"
	"bytes"
	"context"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	control "github.com/moby/buildkit/api/services/control"
	apitypes "github.com/moby/buildkit/api/types"
	gateway "github.com/moby/buildkit/frontend/gateway/pb"
	"github.com/moby/buildkit/session"
	sessioncontent "github.com/moby/buildkit/session/content"
	"github.com/moby/buildkit/session/filesync"
	"github.com/moby/buildkit/session/grpchijack"
	"github.com/moby/buildkit/solver/pb"
	"github.com/moby/buildkit/util/apicaps"
	"github.com/moby/buildkit/util/grpcerrors"
	"github.com/opencontainers/go-digest"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"
	"github.com/tonistiigi/fsutil"
	"github.com/tonistiigi/fsutil/types"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
)

// fakeDaemon speaks BuildKit's protocol: it fetches the image and the files of a job as a
// daemon does, and has a function of the test in place of a program.
type fakeDaemon struct {
	control.UnimplementedControlServer
	address   string
	platforms []string
	server    *grpc.Server
	sessions  *session.Manager
	program   func(r *fakeRun) error
	mu        sync.Mutex
	logs      map[string]chan *control.StatusResponse
	asked     int
	runs      int
	pruned    []string // the filters
	old       bool     // it knows no limits on memory
	left      int      // what the next question for its usage is answered
}

// fakeRun is what a program of a fake daemon sees, and may leave.
type fakeRun struct {
	ctx    context.Context
	exec   *pb.ExecOp
	step   digest.Digest
	ops    map[digest.Digest]*pb.Op
	files  string // the folder of the job's files as they were sent
	image  func(digest.Digest) ([]byte, error)
	ref    string // of the image
	print  func(step digest.Digest, text string)
	result func(*tar.Writer) // writes what the job leaves
	raw    []byte            // sent instead of an archive, if any
}

func startFake(t *testing.T, platforms []string, program func(r *fakeRun) error) *fakeDaemon {
	t.Helper()
	dir, err := os.MkdirTemp("", "bk") // a socket's path is short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	at := filepath.Join(dir, "s")
	l, err := net.Listen("unix", at)
	if err != nil {
		t.Fatal(err)
	}
	return serveFake(t, l, "unix://"+at, platforms, program)
}

func serveFake(t *testing.T, l net.Listener, address string, platforms []string, program func(r *fakeRun) error, options ...grpc.ServerOption) *fakeDaemon {
	t.Helper()
	sessions, err := session.NewManager()
	if err != nil {
		t.Fatal(err)
	}
	options = append(options, grpc.ChainUnaryInterceptor(grpcerrors.UnaryServerInterceptor), grpc.ChainStreamInterceptor(grpcerrors.StreamServerInterceptor))
	d := &fakeDaemon{
		address: address, platforms: platforms, server: grpc.NewServer(options...), sessions: sessions,
		program: program, logs: map[string]chan *control.StatusResponse{},
	}
	control.RegisterControlServer(d.server, d)
	go d.server.Serve(l)
	t.Cleanup(d.server.Stop)
	return d
}

func (d *fakeDaemon) ListWorkers(context.Context, *control.ListWorkersRequest) (*control.ListWorkersResponse, error) {
	w := &apitypes.WorkerRecord{ID: d.address}
	for _, text := range d.platforms {
		p := parsePlatform(text)
		w.Platforms = append(w.Platforms, &pb.Platform{OS: p.os, Architecture: p.arch, Variant: p.variant})
	}
	return &control.ListWorkersResponse{Record: []*apitypes.WorkerRecord{w}}, nil
}

func (d *fakeDaemon) Prune(r *control.PruneRequest, _ control.Control_PruneServer) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.pruned = r.Filter
	return nil
}

func (d *fakeDaemon) DiskUsage(context.Context, *control.DiskUsageRequest) (*control.DiskUsageResponse, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	r := &control.DiskUsageResponse{}
	for range d.left {
		r.Record = append(r.Record, &control.UsageRecord{ID: "x"})
	}
	d.left = max(0, d.left-1)
	return r, nil
}

func (d *fakeDaemon) Session(stream control.Control_SessionServer) error {
	conn, closed, opts := grpchijack.Hijack(stream)
	defer conn.Close()
	ctx, cancel := context.WithCancel(stream.Context())
	go func() { <-closed; cancel() }()
	return d.sessions.HandleConn(ctx, conn, opts)
}

func (d *fakeDaemon) channel(ref string) chan *control.StatusResponse {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.logs[ref] == nil {
		d.logs[ref] = make(chan *control.StatusResponse, 100)
	}
	return d.logs[ref]
}

func (d *fakeDaemon) Status(r *control.StatusRequest, stream control.Control_StatusServer) error {
	for s := range d.channel(r.Ref) {
		if err := stream.Send(s); err != nil {
			return err
		}
	}
	return nil
}

func (d *fakeDaemon) Solve(ctx context.Context, r *control.SolveRequest) (*control.SolveResponse, error) {
	log := d.channel(r.Ref)
	defer close(log)
	d.mu.Lock()
	d.asked++
	d.mu.Unlock()
	for _, m := range r.Definition.Metadata {
		if d.old && m.Caps[string(pb.CapExecMetaLinuxResources)] {
			return nil, &apicaps.CapError{ID: pb.CapExecMetaLinuxResources}
		}
	}
	d.mu.Lock()
	d.runs++
	d.mu.Unlock()
	caller, err := d.sessions.Get(ctx, r.Session, false)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "bk")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	run := &fakeRun{ctx: ctx, ops: map[digest.Digest]*pb.Op{}, files: dir}
	var store string
	for _, text := range r.Definition.Def {
		op := &pb.Op{}
		if err := op.UnmarshalVT(text); err != nil {
			return nil, err
		}
		run.ops[digest.FromBytes(text)] = op
		if e := op.GetExec(); e != nil {
			run.exec, run.step = e, digest.FromBytes(text)
		}
		if s := op.GetSource(); s != nil && strings.HasPrefix(s.Identifier, "oci-layout://") {
			run.ref = strings.TrimPrefix(s.Identifier, "oci-layout://")
			store = "oci:" + s.Attrs[pb.AttrOCILayoutStoreID]
		}
	}
	for _, name := range []string{placeInput, resultInput} {
		to := filepath.Join(dir, name)
		if err := os.Mkdir(to, 0o755); err != nil {
			return nil, err
		}
		if err := filesync.FSSync(ctx, caller, filesync.FSSendRequestOpt{Name: name, DestDir: to, Differ: fsutil.DiffNone, Filter: mine}); err != nil {
			return nil, err
		}
	}
	blobs := sessioncontent.NewCallerStore(caller, store)
	run.image = func(d digest.Digest) ([]byte, error) {
		info, err := blobs.Info(ctx, d)
		if err != nil {
			return nil, err
		}
		at, err := blobs.ReaderAt(ctx, ocispecs.Descriptor{Digest: d, Size: info.Size})
		if err != nil {
			return nil, err
		}
		defer at.Close()
		var all bytes.Buffer
		// In pieces, as daemons do.
		_, err = io.CopyBuffer(struct{ io.Writer }{&all}, struct{ io.Reader }{io.NewSectionReader(at, 0, at.Size())}, make([]byte, 1000))
		return all.Bytes(), err
	}
	run.print = func(step digest.Digest, text string) {
		log <- &control.StatusResponse{Logs: []*control.VertexLog{{Vertex: string(step), Stream: 1, Msg: []byte(text)}}}
	}
	if err := d.program(run); err != nil {
		return nil, err
	}
	return &control.SolveResponse{}, d.send(ctx, caller, run)
}

// mine makes what is received belong to who runs the test, where only root may give away.
func mine(_ string, s *types.Stat) bool {
	s.Uid, s.Gid = uint32(os.Getuid()), uint32(os.Getgid())
	return true
}

func (d *fakeDaemon) send(ctx context.Context, caller session.Caller, run *fakeRun) error {
	w, err := filesync.CopyFileWriter(ctx, nil, 0, caller)
	if err != nil {
		return err
	}
	if run.raw != nil {
		if _, err := w.Write(run.raw); err != nil {
			w.Close()
			return err
		}
		return w.Close()
	}
	a := tar.NewWriter(w)
	if run.result != nil {
		run.result(a)
	}
	if err := a.Close(); err != nil {
		w.Close()
		return err
	}
	return w.Close()
}

// exits is the error of a program that ends with a code.
func exits(code uint32) error { return &gateway.ExitError{ExitCode: code, Err: io.EOF} }

func tlsOption(c credentials.TransportCredentials) grpc.ServerOption { return grpc.Creds(c) }
