// SPDX-License-Identifier: GPL-2.0-only
/*
 * The first program of the guest. It mounts what programs expect, does what the
 * kernel command line asks for (lab.mode=) and turns the machine off.
 *
 * Results go to the host over the virtio-serial port "lab.verdict", each line
 * the moment it is there, in chunks:
 *
 *   @begin NAME
 *   ... KTAP as the suite or program wrote it ...
 *   @end NAME HOW MILLISECONDS
 *
 * HOW is `exit:N`, `signal:N` or `timeout`. The last line is `@done`: without
 * it the host has no verdict. The names also go to the kernel log, so that a
 * report found there can be told whose it is.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "gcov.h"

#define TESTS		"/tests"
#define KUNIT_RESULTS	"/sys/kernel/debug/kunit"
#define KMEMLEAK	"/sys/kernel/debug/kmemleak"

static char cmdline[4096];
static int verdict = -1;

static const struct {
	const char *type, *where, *options;
} mounts[] = {
	{ "proc", "/proc", "" },
	{ "sysfs", "/sys", "" },
	{ "devtmpfs", "/dev", "" },
	{ "debugfs", "/sys/kernel/debug", "" },
	{ "tracefs", "/sys/kernel/tracing", "" },
	{ "configfs", "/sys/kernel/config", "" },
	{ "tmpfs", "/tmp", "mode=1777" },
	{ "tmpfs", "/dev/shm", "mode=1777" },
};

/* The value of an option on the kernel command line, or NULL */
static const char *option(const char *name)
{
	static char value[512];
	size_t len = strlen(name);
	const char *at = cmdline;

	while ((at = strstr(at, name))) {
		if ((at == cmdline || at[-1] == ' ') && at[len] == '=') {
			snprintf(value, sizeof(value), "%.*s",
				 (int)strcspn(at + len + 1, " \n"),
				 at + len + 1);
			return value;
		}
		at += len;
	}
	return NULL;
}

static void __attribute__((format(printf, 1, 2)))
kernel_log(const char *fmt, ...)
{
	char line[512];
	va_list ap;
	int fd, n;

	n = snprintf(line, sizeof(line), "<6>lab: ");
	va_start(ap, fmt);
	n += vsnprintf(line + n, sizeof(line) - n, fmt, ap);
	va_end(ap);
	fd = open("/dev/kmsg", O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	if (write(fd, line, n) < 0)
		perror("/dev/kmsg");
	close(fd);
}

static void send_all(const char *data, size_t len)
{
	while (len) {
		ssize_t n = write(verdict, data, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			kernel_log("verdict port: %s", strerror(errno));
			return;
		}
		data += n;
		len -= n;
	}
}

static void __attribute__((format(printf, 1, 2))) tell(const char *fmt, ...)
{
	char line[1024];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	send_all(line, n < (int)sizeof(line) ? (size_t)n : sizeof(line) - 1);
}

static void __attribute__((noreturn)) power_off(void)
{
	sync();
	reboot(RB_POWER_OFF);
	/* without ACPI: QEMU ends at a reset as well */
	reboot(RB_AUTOBOOT);
	for (;;)
		pause();
}

static long long now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000LL + ts.tv_nsec / 1000000;
}

static void make_mounts(void)
{
	unsigned int i;

	for (i = 0; i < sizeof(mounts) / sizeof(mounts[0]); i++) {
		mkdir(mounts[i].where, 0755);
		if (mount(mounts[i].type, mounts[i].where, mounts[i].type, 0,
			  mounts[i].options))
			fprintf(stderr, "init: mount %s on %s: %s\n",
				mounts[i].type, mounts[i].where,
				strerror(errno));
	}
}

/* The character device of the virtio-serial port with this name */
static int open_port(const char *name)
{
	char path[300], found[128];
	struct dirent *de;
	int fd = -1, n;
	DIR *dir;

	dir = opendir("/sys/class/virtio-ports");
	if (!dir)
		return -1;
	while (fd < 0 && (de = readdir(dir))) {
		FILE *f;

		snprintf(path, sizeof(path), "/sys/class/virtio-ports/%s/name",
			 de->d_name);
		f = fopen(path, "re");
		if (!f)
			continue;
		n = fscanf(f, "%127s", found);
		fclose(f);
		if (n != 1 || strcmp(found, name))
			continue;
		snprintf(path, sizeof(path), "/dev/%s", de->d_name);
		fd = open(path, O_RDWR | O_CLOEXEC);
	}
	closedir(dir);
	return fd;
}

/* Ports appear some time after the first program starts */
static int wait_for_port(const char *name)
{
	int fd, tries = 0;

	while ((fd = open_port(name)) < 0 && tries++ < 500)
		usleep(20000);
	return fd;
}

static void send_file(const char *path)
{
	char buf[4096];
	ssize_t n;
	int fd;

	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		tell("not ok 1 %s: %s\n", path, strerror(errno));
		return;
	}
	while ((n = read(fd, buf, sizeof(buf))) > 0)
		send_all(buf, n);
	close(fd);
}

/* Has the suite NAME a word of lab.tests= in it (none: all are asked for)? */
static bool asked_for(const char *name)
{
	const char *patterns = option("lab.tests");
	char copy[512], *word, *rest = copy;

	if (!patterns)
		return true;
	snprintf(copy, sizeof(copy), "%s", patterns);
	while ((word = strsep(&rest, ",")))
		if (*word && strstr(name, word))
			return true;
	return false;
}

static int not_dot(const struct dirent *de)
{
	return de->d_name[0] != '.';
}

/* The suites ran while the kernel booted; it keeps what they said */
static void send_kunit(void)
{
	struct dirent **list;
	char path[512], name[300];
	int i, n;

	n = scandir(KUNIT_RESULTS, &list, not_dot, alphasort);
	for (i = 0; i < n; i++) {
		snprintf(name, sizeof(name), "kunit:%s", list[i]->d_name);
		snprintf(path, sizeof(path), KUNIT_RESULTS "/%s/results",
			 list[i]->d_name);
		if (asked_for(name)) {
			tell("@begin %s\n", name);
			send_file(path);
			tell("@end %s exit:0 0\n", name);
		}
		free(list[i]);
	}
	if (n >= 0)
		free(list);
}

/* timeout= of the settings file beside the program, in seconds */
static int time_limit(const char *dir)
{
	const char *scale = option("lab.scale");
	int limit = 45, value;
	char path[512], line[128];
	FILE *f;

	snprintf(path, sizeof(path), "%s/settings", dir);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "timeout=%d", &value) == 1)
			limit = value;
	if (f)
		fclose(f);
	/* 0 is kselftest's word for none: here the host has one */
	if (!limit)
		limit = 600;
	return limit * (scale ? atoi(scale) : 1);
}

static pid_t start(const char *dir, char *const argv[], int out)
{
	pid_t pid = fork();
	int null;

	if (pid)
		return pid;
	setsid();
	null = open("/dev/null", O_RDONLY);
	dup2(null, 0);
	dup2(out, 1);
	dup2(out, 2);
	if (chdir(dir))
		_exit(126);
	execv(argv[0], argv);
	dprintf(2, "%s: %s\n", argv[0], strerror(errno));
	_exit(127);
}

/*
 * Pass on what the program writes, until it ends and nobody of its group holds
 * the pipe, or its time is over. Returns false in the second case.
 */
static bool relay(int in, pid_t pid, int *status, long long deadline)
{
	struct pollfd pfd = { .fd = in, .events = POLLIN };
	bool ended = false;
	char buf[4096];
	ssize_t n;

	for (;;) {
		if (now_ms() > deadline)
			return ended;
		if (poll(&pfd, 1, 200) > 0) {
			n = read(in, buf, sizeof(buf));
			if (n > 0)
				send_all(buf, n);
			else if (ended)
				return true;
			else
				usleep(10000);
		} else if (ended) {
			return true;
		}
		if (!ended && waitpid(pid, status, WNOHANG) == pid)
			ended = true;
	}
}

/* Whoever is left of the session of a program that has ended or must */
static void kill_session(pid_t pid)
{
	DIR *proc = opendir("/proc");
	struct dirent *de;
	int tries;

	while (proc && (de = readdir(proc))) {
		pid_t other = atoi(de->d_name);

		if (other > 1 && getsid(other) == pid)
			kill(other, SIGKILL);
	}
	if (proc)
		closedir(proc);
	/* what is killed is soon gone, unless the kernel holds on to it */
	for (tries = 0; tries < 100; tries++) {
		while (waitpid(-1, NULL, WNOHANG) > 0)
			;
		if (waitpid(-1, NULL, WNOHANG) < 0)
			break;
		usleep(10000);
	}
}

static void run_test(const char *name)
{
	char dir[400], prog[200], *argv[] = { prog, NULL, NULL, NULL };
	const char *one = option("lab.case"), *colon = strrchr(name, ':');
	int pipefd[2], status = 0;
	long long begun;
	bool in_time;
	pid_t pid;

	if (!colon)
		return;
	snprintf(dir, sizeof(dir), TESTS "/%.*s", (int)(colon - name), name);
	snprintf(prog, sizeof(prog), "./%s", colon + 1);
	if (one) {
		/* as kselftest_harness.h has it */
		argv[1] = "-t";
		argv[2] = strdupa(one);
	}

	kernel_log("begin %s", name);
	tell("@begin %s\n", name);
	begun = now_ms();
	if (pipe2(pipefd, O_CLOEXEC) ||
	    (pid = start(dir, argv, pipefd[1])) < 0) {
		/* no @end: the host sees a test that did not come to one */
		tell("not ok 1 init: %s\n", strerror(errno));
		return;
	}
	close(pipefd[1]);
	in_time = relay(pipefd[0], pid, &status,
			begun + 1000LL * time_limit(dir));
	if (!in_time)
		kill(pid, SIGKILL);
	kill_session(pid);
	close(pipefd[0]);

	tell("\n@end %s ", name);
	if (!in_time)
		tell("timeout");
	else if (WIFSIGNALED(status))
		tell("signal:%d", WTERMSIG(status));
	else
		tell("exit:%d", WEXITSTATUS(status));
	tell(" %lld\n", now_ms() - begun);
	kernel_log("end %s", name);
}

static void run_tests(void)
{
	FILE *list = fopen(TESTS "/list", "re");
	char line[256];

	while (list && fgets(line, sizeof(line), list)) {
		line[strcspn(line, "\n")] = 0;
		if (line[0])
			run_test(line);
	}
	if (list)
		fclose(list);
}

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		kernel_log("%s: %s", path, strerror(errno));
	if (fd >= 0)
		close(fd);
}

/*
 * An object counts as leaked from its sixth second on, and one scan may take
 * a stale word on a stack for a pointer: scan, wait, scan.
 */
static void send_leaks(void)
{
	char buf[4096];
	bool leaks;
	ssize_t n;
	int fd;

	if (access(KMEMLEAK, W_OK))
		return;
	kernel_log("begin kmemleak");
	tell("@begin kmemleak\n");
	write_file(KMEMLEAK, "scan");
	sleep(6);
	write_file(KMEMLEAK, "scan");
	fd = open(KMEMLEAK, O_RDONLY | O_CLOEXEC);
	n = read(fd, buf, sizeof(buf));
	leaks = n != 0;
	while (n > 0) {
		send_all(buf, n);
		n = read(fd, buf, sizeof(buf));
	}
	tell("\n1..1\n%sok 1 no object without a reference\n",
	     leaks ? "not " : "");
	close(fd);
	tell("\n@end kmemleak exit:0 0\n");
	kernel_log("end kmemleak");
}

/* lab.size=ROWSxCOLUMNS: the host's terminal, of which the guest's knows nothing */
static void set_size(int tty)
{
	const char *size = option("lab.size");
	struct winsize ws = { 0 };

	if (size && sscanf(size, "%hux%hu", &ws.ws_row, &ws.ws_col) == 2)
		ioctl(tty, TIOCSWINSZ, &ws);
}

/* A console or port as standard input, output and error */
static void talk_through(int fd)
{
	dup2(fd, 0);
	dup2(fd, 1);
	dup2(fd, 2);
	if (fd > 2)
		close(fd);
}

static int run_program(const char *name)
{
	char path[64], *argv[] = { path, NULL };
	int status = 0;
	pid_t pid;

	snprintf(path, sizeof(path), "/bin/%s", name);
	pid = fork();

	if (!pid) {
		setenv("TERM", "linux", 1);
		execv(path, argv);
		perror(path);
		_exit(127);
	}
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return WIFEXITED(status) ? WEXITSTATUS(status) :
				   128 + WTERMSIG(status);
}

/*
 * The demonstration: programs that lab.run= names, as long as they end well.
 * Their output goes to the port or tty lab.out= names.
 */
static void mode_run(void)
{
	const char *out = option("lab.out");
	char names[128], *name, *rest = names;
	int fd, status = 0;

	if (out && !strcmp(out, "tty"))
		fd = open("/dev/hvc0", O_RDWR | O_CLOEXEC);
	else
		fd = wait_for_port("lab.out");
	if (fd >= 0) {
		set_size(fd);
		talk_through(fd);
	}
	snprintf(names, sizeof(names), "%s", option("lab.run") ?: "");
	while ((status == 0 || status == 4) && (name = strsep(&rest, ","))) {
		dprintf(1, "\n%s\n\n", name);
		kernel_log("begin run:%s", name);
		tell("@begin run:%s\n", name);
		status = run_program(name);
		tell("\n@end run:%s exit:%d 0\n", name, status);
		kernel_log("end run:%s", name);
	}
}

static void on_power_off(int signal)
{
	(void)signal;
	power_off();
}

static void mode_shell(void)
{
	char *argv[] = { "/bin/sh", "-l", NULL };
	int status;
	pid_t pid;

	/* what halt, poweroff and reboot ask the first program for */
	signal(SIGUSR1, on_power_off);
	signal(SIGUSR2, on_power_off);
	signal(SIGTERM, on_power_off);
	if (!fork()) {
		execl("/bin/busybox", "busybox", "--install", "-s", "/bin",
		      NULL);
		_exit(127);
	}
	wait(&status);
	pid = fork();
	if (!pid) {
		int fd;

		setsid();
		/* the first tty a session leader opens is its own */
		fd = open("/dev/hvc0", O_RDWR);
		if (fd >= 0) {
			set_size(fd);
			talk_through(fd);
		}
		setenv("PATH", "/bin:/tests", 1);
		setenv("TERM", "linux", 1);
		setenv("PS1", "guest:\\w# ", 1);
		execv(argv[0], argv);
		perror(argv[0]);
		_exit(127);
	}
	while (waitpid(pid, &status, 0) != pid)
		;
}

/* Wait for modprobe NAME; what it has to say goes to the console */
static int load_module(const char *name)
{
	int status = -1;
	pid_t pid = fork();

	if (!pid) {
		execl("/bin/modprobe", "modprobe", name, NULL);
		_exit(127);
	}
	waitpid(pid, &status, 0);
	return status;
}

/* Those that /etc/modules names, one a line; each load is a result */
static void load_modules(void)
{
	FILE *list = fopen("/etc/modules", "re");
	char name[128];
	int n = 0;

	if (!list)
		return;
	kernel_log("begin modules");
	tell("@begin modules\n");
	while (fscanf(list, "%127s", name) == 1)
		tell("%sok %d modprobe %s\n", load_module(name) ? "not " : "",
		     ++n, name);
	fclose(list);
	tell("1..%d\n@end modules exit:0 0\n", n);
	kernel_log("end modules");
}

int main(void)
{
	const char *mode;
	int fd;

	make_mounts();
	fd = open("/dev/console", O_RDWR);
	if (fd >= 0)
		talk_through(fd);
	fd = open("/proc/cmdline", O_RDONLY | O_CLOEXEC);
	if (fd < 0 || read(fd, cmdline, sizeof(cmdline) - 1) < 0)
		perror("init: /proc/cmdline");
	close(fd);

	/* a test's orphans come to us, so that they can be ended with it */
	signal(SIGPIPE, SIG_IGN);
	verdict = wait_for_port("lab.verdict");
	if (verdict < 0) {
		kernel_log("there is no port lab.verdict");
		power_off();
	}
	load_modules();
	mode = option("lab.mode");
	if (!mode || !strcmp(mode, "test")) {
		send_kunit();
		run_tests();
		send_leaks();
		fd = open_port("lab.gcov");
		if (fd >= 0)
			send_coverage(fd);
	} else if (!strcmp(mode, "run")) {
		mode_run();
	} else if (!strcmp(mode, "shell")) {
		mode_shell();
	}
	tell("@done\n");
	kernel_log("done");
	power_off();
}
