# SPDX-License-Identifier: GPL-2.0-only
# The commands a person types. Each is a chain of steps, each step a script in
# lab/ that does nothing when its inputs are unchanged.

PROFILE ?= plain
ARCH ?=
PAGES ?=
KSRC ?=
ACCEL ?=
JOBS ?= $(shell nproc)
TESTS ?=
CASE ?=
ROUNDS ?= 2
BENCH ?=
SIGNOFF ?=
KDIR ?=
DRYRUN ?=
MINUTES ?= 10
STEPS ?=
MUTANTS ?=
PROOF ?=
export PROFILE ARCH PAGES KSRC ACCEL JOBS TESTS ROUNDS BENCH SIGNOFF KDIR DRYRUN STEPS
export MUTANTS PROOF CASE

help:
	@lab/help

run: demo accel
	@lab/run

test: initramfs accel
	@lab/test

fuzz: initramfs accel
	@TESTS=_fuzz FUZZ_SEED='$(SEED)' FUZZ_OPS='$(OPS)' lab/test

soak: initramfs accel
	@TESTS=iio_soak SOAK_SECONDS=$$((60 * $(MINUTES))) SOAK_SEED='$(SEED)' \
		lab/test

shell: initramfs accel
	@lab/shell

bench: deps
	@lab/deps gnuplot-nox
	@lab/bench

kunit: tree
	@lab/kunit

lint: tree
	@lab/lint

coccicheck: tree
	@lab/deps ocaml-nox
	@lab/coccicheck

clang: tree
	@lab/deps clang lld llvm
	@lab/clang

mutants: initramfs accel
	@lab/mutate

proof: base
	@lab/proof

check-syzkaller: kernel
	@lab/check-syzkaller

promises:
	@lab/promises

regressions:
	@lab/promises R

stock-faults:
	@$(MAKE) --no-print-directory PROFILE=stock initramfs accel
	@PROFILE=stock lab/stock-faults

importers: tree
	@lab/importers

series: tree
	@lab/series

apply: base
	@lab/apply

check-series: tree
	@lab/check-series

check-patches: tree
	@STEPS=none lab/check-series

check-apply: tree
	@lab/check-apply
	@$(MAKE) --no-print-directory PROFILE=applied test

htmldocs: tree
	@lab/deps python3-sphinx python3-sphinx-rtd-theme graphviz
	@lab/htmldocs

coverage:
	@lab/deps lcov
	@$(MAKE) --no-print-directory PROFILE=gcov test
	@lab/coverage

# Steps, useful by themselves to a developer
deps:
	@lab/deps

base: deps
	@lab/base

tree: base
	@lab/layover

kernel: tree
	@lab/kernel

modules: kernel
	@lab/modules

init: modules
	@lab/init

initramfs: init demo
	@lab/initramfs

demo: init
	@lab/demo

accel: init
	@lab/accel

clean:
	rm -rf build/tree build/tree.* build/edited build/plain build/debug \
		build/modules build/kcsan build/stock build/kunit build/tests build/guest build/run \
		build/gcov build/coverage build/docs build/bench build/log \
		build/lint build/importers build/coccicheck build/clang \
		build/mutants build/proof build/*.cpio \
		build/series* build/apply* build/*.built build/*.wanted build/accel* \
		build/arm64-* build/i386-* build/um-*

distclean:
	rm -rf build

.PHONY: help run test shell bench kunit lint promises importers htmldocs coverage
.PHONY: regressions series apply check-series check-patches check-apply
.PHONY: fuzz soak check-syzkaller coccicheck clang
.PHONY: mutants proof stock-faults
.PHONY: deps base tree kernel modules init initramfs demo accel clean distclean
.NOTPARALLEL:
