# SPDX-License-Identifier: GPL-2.0-only
# The commands a person types. Each is a chain of steps, each step a script in
# lab/ that does nothing when its inputs are unchanged.

PROFILE ?= plain
KSRC ?=
ACCEL ?=
JOBS ?= $(shell nproc)
TESTS ?=
export PROFILE KSRC ACCEL JOBS TESTS

help:
	@lab/help

run: demo accel
	@lab/run

test: initramfs accel
	@lab/test

shell: initramfs demo accel
	@lab/shell

kunit: tree
	@lab/kunit

lint: tree
	@lab/lint

# Steps, useful by themselves to a developer
deps:
	@lab/deps

base: deps
	@lab/base

tree: base
	@lab/layover

kernel: tree
	@lab/kernel

init: kernel
	@lab/init

initramfs: init
	@lab/initramfs

demo: init
	@lab/demo

accel: init
	@lab/accel

clean:
	rm -rf build/tree build/tree.* build/edited build/plain build/debug \
		build/stock build/kunit build/tests build/guest build/run \
		build/log build/lint build/*.cpio build/*.built build/*.wanted build/accel*

distclean:
	rm -rf build

.PHONY: help run test shell kunit lint deps base tree kernel init initramfs \
	demo accel clean distclean
.NOTPARALLEL:
