# Thin: what a developer needs more of is `swift run dev ...`.
SWIFT ?= swift
PREFIX ?= /usr/local
DESTDIR ?=
# Build, the targets' interfaces, real initiators, and what tests and bench look through.
PACKAGES = git g++ pkg-config libaio-dev libudev-dev libkmod-dev \
  tgt libiscsi-bin qemu-utils qemu-block-extra python3-jsonschema strace \
  qemu-system-x86 busybox-static kmod xz-utils dmsetup \
  open-iscsi e2fsprogs sg3-utils targetcli-fb python3-rtslib-fb dbus-daemon \
  drbd-utils lvm2 nbdkit nbdkit-plugin-dev libnbd-bin libnbd-dev nbd-client fio
# Tests of commands, daemons and guests have limits of time: each of these modules runs by itself.
APART = LinuxHostTests|NBDKitPluginTests|CLITests|STGTTests|VMTests
SEED ?= 1
COUNT ?= 520
TEST = $(SWIFT) test --skip-build --disable-xctest
SOURCES = Package.swift Sources Tests Backends
# A release binary takes the Swift and C++ libraries into itself and stands at a fixed address: without libstdc++ and
# the 82,000 relocations of a movable program a command starts in half the time. LINK= makes a movable one.
STATIC = .build/static-libraries
LINK = -Xlinker -no-pie -Xlinker -L$(STATIC)
RELEASE = -c release --static-swift-stdlib --disable-local-rpath $(LINK)
MANUAL = -c release --package-path .build/checkouts/swift-argument-parser --scratch-path .build/manual

.PHONY: help deps swift build demo check check-fast fuzz simulate sanitize crash lint bench release install clean
.DEFAULT_GOAL := help

help:
	@echo 'make demo        mirror a volume, export it with tgt, write to it while a disk fails, repair, take it down'
	@echo 'make check       everything that must pass: build, format, all tests'
	@echo 'make check-fast  format and the tests that need no daemon'
	@echo 'make fuzz        some millions of damaged inputs to everything that is parsed'
	@echo 'make simulate SEED= COUNT=  the mirror over simulated disks, which crash'
	@echo 'make sanitize    the engine under the sanitizers of threads and addresses'
	@echo 'make crash       the server of volumes killed under load, many times'
	@echo 'make bench       time and system calls, as ratios to peers'
	@echo 'make install     a static release build into DESTDIR=$(DESTDIR) PREFIX=$(PREFIX)'
	@echo 'make build       a debug build; make deps: the Debian packages; make clean'

deps: swift
	@.ci/deps $(PACKAGES)

swift:
	@$(SWIFT) --version >/dev/null 2>&1 || { \
	  echo 'Swift 6.2 or newer is needed, and there is none in PATH.'; \
	  echo 'Get the toolchain for your system from https://www.swift.org/install/linux/, by swiftly or as an'; \
	  echo 'archive, put its usr/bin into PATH, and run make again.'; exit 1; } >&2

build: deps
	$(SWIFT) build

demo: deps
	$(SWIFT) build --product quartet
	$(SWIFT) build --product nbdkit-quartet-plugin
	$(SWIFT) run dev demo

lint: swift
	$(SWIFT) format lint --strict --parallel --recursive $(SOURCES)

# Warnings are errors by the manifest.
check: deps lint simulate
	$(SWIFT) build --build-tests
	$(TEST) --skip '^($(APART))\.'
	$(foreach suite,$(subst |, ,$(APART)),$(TEST) --filter '^$(suite)\.' &&) true

# The fuzz tests of `check`, FACTOR times as long: some millions of inputs. SEED= chooses others.
FACTOR ?= 60
fuzz: deps
	$(SWIFT) build --build-tests
	FACTOR=$(FACTOR) $(TEST) --filter '(FuzzTests|ReplayTests)/'

# The mirror over simulated disks: about two thousand requests a seed, a million in all. A seed that fails is printed.
simulate: swift
	$(SWIFT) build -c release --product simulate
	$(SWIFT) run -c release --skip-build simulate $(SEED) $(COUNT)

# What has threads under the sanitizer of threads, the engine under the one of addresses: two builds more, so not in
# `check`. Mirrors that a simulated crash ends are cycles, which are not looked for.
sanitize: deps
	$(SWIFT) build --build-tests --sanitize=thread --scratch-path .build-thread
	$(TEST) --sanitize=thread --scratch-path .build-thread --filter '^(LinuxBlockDevicesTests|NBDClientTests|EmbeddedPoolTests)\.'
	$(SWIFT) build --build-tests --sanitize=address --scratch-path .build-address
	ASAN_OPTIONS=detect_leaks=0 $(TEST) --sanitize=address --scratch-path .build-address \
	  --filter '^(BlockEngineTests|ExtentPoolTests|LinuxBlockDevicesTests|NBDClientTests|EmbeddedPoolTests)\.'

# The server killed under load, FACTOR times as often as in `check`.
crash: deps
	$(SWIFT) build --build-tests
	FACTOR=$(FACTOR) $(TEST) --filter '^NBDKitPluginTests\.CrashTests/'

check-fast: lint
	$(SWIFT) build --build-tests
	$(TEST) --skip '^($(APART))\.'
	$(TEST) --filter '^LinuxHostTests\.'

bench: release
	$(SWIFT) build $(RELEASE) --product bench-floor
	$(SWIFT) build $(RELEASE) --product dev
	"$$($(SWIFT) build $(RELEASE) --show-bin-path)/dev" bench

release: deps
	@mkdir -p $(STATIC) && ln -sf "$$(g++ -print-file-name=libstdc++.a)" $(STATIC)/libstdc++.a
	$(SWIFT) build $(RELEASE) --product quartet
	$(SWIFT) build $(RELEASE) --product nbdkit-quartet-plugin

# The tool that writes manual pages is the argument parser's own; as a plugin it would build everything once more.
install: release
	$(SWIFT) build $(MANUAL) --product generate-manual
	DESTDIR='$(DESTDIR)' PREFIX='$(PREFIX)' .ci/install "$$($(SWIFT) build $(RELEASE) --show-bin-path)" \
	  "$$($(SWIFT) build $(MANUAL) --show-bin-path)/generate-manual"

clean:
	$(SWIFT) package clean
