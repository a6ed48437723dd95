# What a developer runs. `make demo` and `make e2e` need root and an amd64 Debian machine: they make
# images by chroot and install the Debian packages they miss. `make test` needs Go alone.

GO ?= go
# the toolchain stamps version and commit, where git can be asked
VCS := $(shell git rev-parse HEAD >/dev/null 2>&1 && echo auto || echo false)
TOOLS := $(CURDIR)/bin/tools
GOLANGCI_VERSION := v2.15.0
GOLANGCI := $(TOOLS)/golangci-lint-$(GOLANGCI_VERSION)

.PHONY: help build test check fmt-check vet lint race demo images e2e bench bench-size bench-resolve bench-builds clean

help: ## Say what there is
	@sed -n 's/^\([a-z0-9-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 16

build: ## Build bin/distill, a static program
	CGO_ENABLED=0 $(GO) build -trimpath -buildvcs=$(VCS) -ldflags '-s -w' -o bin/distill ./cmd/distill

test: ## Run the tests: no network, no root, seconds
	$(GO) test ./...

check: fmt-check vet lint race ## What must pass before a commit

fmt-check:
	@out=$$(gofmt -l $$(git ls-files '*.go')); if [ -n "$$out" ]; then echo "not formatted (gofmt -w):"; echo "$$out"; exit 1; fi

vet:
	$(GO) vet ./...

lint: $(GOLANGCI)
	$(GOLANGCI) run ./...

$(GOLANGCI):
	GOBIN=$(TOOLS) $(GO) install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_VERSION)
	mv $(TOOLS)/golangci-lint $@

race:
	$(GO) test -race ./...

demo: build ## Make two small images, distill one onto the other, run the result (root, 4 minutes)
	scripts/demo.sh

images: ## Make the large test images (root, half an hour the first time)
	fixtures/images/images.sh

e2e: build images ## Ship six applications out of the large images and run them (root)
	e2e/locks.sh
	e2e/run.sh
	e2e/bases.sh
	e2e/mutate.sh
	e2e/trim.py
	e2e/rebase.sh
	e2e/builds.sh

bench: build images ## Measure against multi-stage Dockerfiles with pip and uv (root, an hour)
	bench/run.sh

bench-size: build images ## Measure size and start with and without byte code, against uv and the files really opened (root, half an hour)
	BENCH_UNPACK= BENCH_ARCHES=amd64 BENCH_TOOLS="distill distill-plain distill-max floor pip uv-same uv-code" bench/run.sh

bench-resolve: build ## Measure distill lock against uv pip compile (network, half an hour)
	python3 bench/resolve.py

bench-builds: build images ## Measure builds from source, native, emulated and cached (root, network, an hour)
	bench/builds.sh

clean: ## Remove what was built
	rm -rf bin dist
