# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=sh
# What all steps of the lab share: where things are, how a step speaks, how a
# long command is run. Sourced, not run.

set -eu

top=$(cd "$(dirname "$0")/.." && pwd)
cd "$top"
out=$top/build
# shellcheck disable=SC2034 # for the steps, not for this file
base=${LAB_BASE:-$out/base}
tree=${LAB_TREE:-$out/tree}
stock_tree=$out/tree.stock
profile=${PROFILE:-plain}
arch=${ARCH:-x86}
jobs=${JOBS:-$(nproc)}

# The make that called us must not steer the makes that we call.
unset MAKEFLAGS MFLAGS MAKELEVEL MAKEOVERRIDES GNUMAKEFLAGS || :

# The same input gives the same object, whoever builds it and when.
export LC_ALL=C PYTHONDONTWRITEBYTECODE=1
export KBUILD_BUILD_TIMESTAMP='Thu Jan  1 00:00:00 UTC 1970'
export KBUILD_BUILD_USER=lab KBUILD_BUILD_HOST=lab

die()
{
	printf '%s: %s\n' "$(basename "$0")" "$*" >&2
	exit 1
}

# say WHAT: one line per thing that a step does
say()
{
	printf '  %s\n' "$*"
}

git_here()
{
	git -c safe.directory='*' -C "$top" "$@"
}

# Files of this repository, new ones included, under the given paths
own_files()
{
	git_here ls-files --cached --others --exclude-standard -- "$@" |
	while read -r f; do
		if [ -f "$f" ]; then
			printf '%s\n' "$f"
		fi
	done
}

# Directories whose files land in the kernel tree
series_dirs='drivers include samples tools Documentation'

series_files()
{
	# shellcheck disable=SC2086 # a list of words
	own_files $series_dirs
}

# Files of the base that series/edits change
edited_files()
{
	own_files series/edits | sed 's,^series/edits/,,; s,/[^/]*$,,' | sort -u
}

# What the series has to run in a kernel: no tests, no mocks
own_code()
{
	own_files 'drivers/**/*.c' | grep -v -e /tests/ -e _kunit.c
}

# KUnit suites of the series: all of them are built into its kernels
own_suites()
{
	# shellcheck disable=SC2016 # a program of awk
	own_files 'drivers/**/*_kunit.c' | xargs awk '
		/^static struct kunit_suite / { inside = 1 }
		inside && match($0, /\.name = "[^"]*"/) {
			print substr($0, RSTART + 9, RLENGTH - 10)
			inside = 0
		}'
}

# What the stock kernel has of the series: the simulated converter, without
# which its IIO buffers could be neither tried nor measured.
stock_files()
{
	own_files drivers/iio/dummy
}

# version_of DIR: the version of the kernel source there, 6.12.x
version_of()
{
	awk '$1 == "VERSION" { v = $3 } $1 == "PATCHLEVEL" { p = $3 }
	     $1 == "SUBLEVEL" { print v "." p "." $3; exit }' "$1/Makefile"
}

# The kernel source a profile is built from
source_of()
{
	case $1 in
	stock) echo "$stock_tree" ;;
	applied) echo "$out/tree.applied" ;;
	*) echo "$tree" ;;
	esac
}

check_profile()
{
	case $profile in
	plain | debug | gcov | kcsan | stock) ;;
	# its configuration begins from that of x86
	applied) only_x86 ;;
	# modprobe is this machine's
	modules) only_x86 ;;
	*) die "PROFILE=$profile: it can be plain, debug, gcov, kcsan, modules," \
		"stock or applied" ;;
	esac
}

# For steps that build or measure for this machine alone
only_x86()
{
	[ "$arch" = x86 ] || die "ARCH=$arch: this is for x86 only"
}

# install_program ROOT PROGRAM: into its bin, and its libraries to where it looks
# for them
install_program()
{
	path=$(command -v "$2") || die "there is no $2 here: make deps"
	cp -L "$path" "$1/bin"
	ldd "$path" | grep -o '/[^ ]*' | while read -r lib; do
		mkdir -p "$1$(dirname "$lib")"
		cp -L "$lib" "$1$lib"
	done
}

# newer A B: A is there and newer than B, or B is not there
newer()
{
	[ -e "$1" ] && { [ ! -e "$2" ] || [ -n "$(find "$1" -maxdepth 0 -newer "$2")" ]; }
}

# changed FILE: standard input differs from FILE, which then gets it
changed()
{
	mkdir -p "$(dirname "$1")"
	cat >"$1.new"
	if cmp -s "$1.new" "$1"; then
		rm "$1.new"
		return 1
	fi
	mv "$1.new" "$1"
}

# lock WHAT: one build, or one run of a kind, in this directory at a time
lock()
{
	mkdir -p "$out"
	exec 9>"$out/.lock-$1"
	if ! flock -n 9; then
		say "waiting for another make in this directory"
		flock 9
	fi
}

# logged NAME WHAT COMMAND...: run it, output to build/log/NAME.log, count the
# lines a kernel build prints (about $expect, if set); the log's end on failure.
logged()
{
	log=$out/log/$1.log
	what=$2
	shift 2
	mkdir -p "$out/log"
	begun=$(date +%s)
	: >"$log"
	if [ -t 1 ]; then every=1; else every=30; fi
	(
		# not holding our output open when it is killed
		while sleep "$every" >/dev/null 2>&1; do
			n=$(grep -c '^  [A-Z]' "$log") || n=
			n=${n:+"$n${expect:+ of $expect} done, "}
			n="$what: $n$(($(date +%s) - begun)) s"
			if [ -t 1 ]; then
				printf '\r  %s\033[K' "$n"
			else
				printf '  %s\n' "$n"
			fi
		done
	) 9>&- &
	ticker=$!
	trap 'kill $ticker 2>/dev/null; exit 130' INT TERM
	status=0
	"$@" >"$log" 2>&1 9>&- </dev/null || status=$?
	kill "$ticker" 2>/dev/null || :
	wait "$ticker" 2>/dev/null || :
	trap - INT TERM
	[ ! -t 1 ] || printf '\r\033[K'
	if [ "$status" -ne 0 ]; then
		printf '%s failed. The end of %s:\n' "$what" "${log#"$top"/}" >&2
		grep -n -m 5 -E '(error|Error [0-9]+|undefined reference)' \
			"$log" >&2 || :
		printf '%s\n' '...' >&2
		tail -n 25 "$log" >&2
		exit 1
	fi
	say "$what: done in $(($(date +%s) - begun)) s"
}

# kmake SOURCE OBJECTS TARGET...: the kernel's make
kmake()
{
	src=$1
	obj=$2
	shift 2
	# shellcheck disable=SC2086 # a list of words
	nice make -C "$src" O="$obj" $arch_args CC="$kcc" -j"$jobs" "$@"
}

# Objects are the same in whatever directory this repository is
export CCACHE_BASEDIR="$top" CCACHE_NOHASHDIR=1

# What is built for another architecture has its name before that of the profile,
# in all of build/: kernel is that of PROFILE and ARCH. cc and user_flags make
# programs.
# shellcheck disable=SC2034 # for the steps, not for this file
for_arch()
{
	cc=gcc cross='' user_flags='' boot_image=vmlinux
	case $arch in
	x86 | x86_64)
		# an empty one is none, but not to the kernel's make
		unset ARCH || :
		arch=x86 arch_args=''
		;;
	i386)
		cross=i386- arch_args=ARCH=i386
		# the harness of the kselftests prints a pointer as an intmax_t
		user_flags='-m32 -Wno-pointer-to-int-cast'
		;;
	arm64)
		cross=arm64-${page_size:+$page_size-} cc=aarch64-linux-gnu-gcc
		arch_args="ARCH=arm64 CROSS_COMPILE=${cc%gcc}"
		boot_image=arch/arm64/boot/Image
		;;
	*)
		die "ARCH=$arch: it can be x86, i386 or arm64"
		;;
	esac
	kernel=$cross$profile
}
case $arch:${PAGES:-4K} in
arm64:16K) page_size=16K ;;
*:4K) page_size='' ;;
*) die "PAGES=$PAGES: it can be 4K, and with ARCH=arm64 16K" ;;
esac
for_arch
kcc=$cc
if command -v ccache >/dev/null 2>&1; then
	kcc="ccache $cc"
fi
