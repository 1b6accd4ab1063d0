// SPDX-License-Identifier: GPL-2.0-only
/*
 * Unloading the modules: refused while a transfer, a buffer's file or a fence
 * still needs them, and without consequences when nothing does. For kernels that
 * have the drivers as modules, which must have been loaded.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../kselftest_harness.h"
#include "iio_fixture.h"

#define SIM		"iio_sim"
#define DMAENGINE	"industrialio_buffer_dmaengine"
#define CORE		"industrialio"

#define MAX_MODULES	32

/* What unload_users() has unloaded, users first */
struct unloaded {
	char names[MAX_MODULES][64];
	int count;
};

static int unload(const char *module)
{
	return syscall(SYS_delete_module, module, O_NONBLOCK) ? -errno : 0;
}

static int load(const char *module)
{
	int status = -1;
	pid_t pid = fork();

	if (!pid) {
		execlp("modprobe", "modprobe", module, NULL);
		_exit(127);
	}
	waitpid(pid, &status, 0);
	return status;
}

/* How often it is needed, by modules or otherwise; one that is not there: -ENOENT */
static long users(const char *module)
{
	char path[96], text[32];

	snprintf(path, sizeof(path), "/sys/module/%s/refcnt", module);
	if (read_file(path, text, sizeof(text)) <= 0)
		return -ENOENT;
	return strtol(text, NULL, 10);
}

static bool some_built_in(void)
{
	return users(SIM) < 0 || users(DMAENGINE) < 0 || users(CORE) < 0;
}

#define BUILT_IN	"the simulated converter, or what it uses, is no module"

/* Last references may go a little later */
static bool comes_to(const char *module, long count)
{
	long long end = now_ms() + SOON_MS;

	while (users(module) != count) {
		if (now_ms() > end)
			return false;
		sleep_ms(10);
	}
	return true;
}

/* Unload the modules that use this one, and those that use them first */
static void unload_users(const char *module, struct unloaded *done)
{
	char path[300], name[64];
	struct dirent *de;
	DIR *dir;

	snprintf(path, sizeof(path), "/sys/module/%s/holders", module);
	dir = opendir(path);
	while (dir && (de = readdir(dir)) && done->count < MAX_MODULES) {
		if (de->d_name[0] == '.')
			continue;
		snprintf(name, sizeof(name), "%.63s", de->d_name);
		unload_users(name, done);
		if (!unload(name))
			memcpy(done->names[done->count++], name, sizeof(name));
	}
	if (dir)
		closedir(dir);
}

static int load_again(const struct unloaded *done)
{
	int i, failed = load(SIM);

	for (i = done->count - 1; i >= 0; i--)
		failed |= load(done->names[i]);
	return failed;
}

/* One transfer with the driver, which does not end, and one behind it */
static void start_two(struct __test_metadata *_metadata, FIXTURE_DATA(iio) *self)
{
	ASSERT_EQ(0, buffer_attach(self->in, self->a));
	ASSERT_EQ(0, buffer_attach(self->in, self->b));
	ASSERT_EQ(0, sim_fault(&self->sim, "rx", "hold", 1));
	ASSERT_EQ(0, buffer_enable(self->sim.adc, true));
	ASSERT_EQ(0, buffer_enqueue(self->in, self->a, 0, LEN));
	ASSERT_EQ(0, buffer_enqueue(self->in, self->b, 0, LEN));
}

TEST_F(iio, transfers_keep_modules)
{
	struct unloaded done = { 0 };

	if (some_built_in())
		SKIP(return, BUILT_IN);

	start_two(_metadata, self);
	EXPECT_EQ(-EAGAIN, unload(SIM));
	unload_users(DMAENGINE, &done);
	EXPECT_EQ(-EAGAIN, unload(DMAENGINE));
	EXPECT_EQ(0, done.count);
	ASSERT_EQ(0, sim_fault(&self->sim, "rx", "hold", 0));
	EXPECT_TRUE(poll_in_time(self->a, POLLOUT, SOON_MS));
	EXPECT_TRUE(poll_in_time(self->b, POLLOUT, SOON_MS));
	ASSERT_EQ(0, buffer_enable(self->sim.adc, false));
}

/*
 * The converter is taken away with a transfer under way and one that waits. Its
 * own module may go then; the buffer's file has the code of the others.
 */
TEST_F(iio, file_keeps_modules)
{
	int fence;

	if (some_built_in())
		SKIP(return, BUILT_IN);

	start_two(_metadata, self);
	fence = fence_of(self->a, DMA_BUF_SYNC_RW);
	ASSERT_LE(0, fence);

	ASSERT_EQ(0, remove_now(&self->sim));
	EXPECT_EQ(-EINTR, fence_result(fence, SOON_MS));
	close_now(&self->out);
	ASSERT_TRUE(comes_to(SIM, 0));
	ASSERT_EQ(0, unload(SIM));

	/* Nobody is left but the file */
	EXPECT_EQ(-EAGAIN, unload(DMAENGINE));
	EXPECT_EQ(-ENODEV, buffer_enqueue(self->in, self->a, 0, LEN));
	close_now(&self->in);
	EXPECT_TRUE(comes_to(DMAENGINE, 0));
	EXPECT_EQ(0, unload(DMAENGINE));
	close(fence);

	ASSERT_EQ(0, load(SIM));
}

/* A fence is code of the core, when all else that was of it is gone, too */
TEST_F(iio, fence_keeps_core)
{
	struct unloaded done = { 0 };
	int fence;

	if (some_built_in())
		SKIP(return, BUILT_IN);

	close_now(&self->out);
	ASSERT_EQ(0, buffer_attach(self->in, self->a));
	ASSERT_EQ(0, buffer_enqueue(self->in, self->a, 0, LEN));
	fence = fence_of(self->a, DMA_BUF_SYNC_RW);
	ASSERT_LE(0, fence);
	ASSERT_EQ(0, remove_now(&self->sim));
	close_now(&self->in);
	close_now(&self->a);
	ASSERT_TRUE(comes_to(SIM, 0));
	unload_users(CORE, &done);
	EXPECT_LT(2, done.count);

	EXPECT_TRUE(comes_to(CORE, 1));
	EXPECT_EQ(-EAGAIN, unload(CORE));
	EXPECT_EQ(-EINTR, fence_result(fence, 0));
	close(fence);
	EXPECT_TRUE(comes_to(CORE, 0));
	EXPECT_EQ(0, unload(CORE));

	ASSERT_EQ(0, load_again(&done));
}

/* From nothing, and it works */
TEST_F(iio, works_when_loaded_again)
{
	if (some_built_in())
		SKIP(return, BUILT_IN);

	close_now(&self->in);
	close_now(&self->out);
	ASSERT_EQ(0, remove_now(&self->sim));
	ASSERT_TRUE(comes_to(SIM, 0));
	ASSERT_EQ(0, unload(SIM));
	ASSERT_EQ(-ENOENT, unload(SIM));
	ASSERT_EQ(0, load(SIM));

	ASSERT_EQ(0, sim_make(&self->sim, "test"));
	ASSERT_EQ(0, buffer_channels(self->sim.adc, false, 1));
	self->in = buffer_open(self->sim.adc, 0);
	ASSERT_LE(0, self->in);
	ASSERT_EQ(0, buffer_attach(self->in, self->a));
	ASSERT_EQ(0, buffer_enable(self->sim.adc, true));
	ASSERT_EQ(0, buffer_enqueue(self->in, self->a, 0, LEN));
	EXPECT_TRUE(poll_in_time(self->a, POLLOUT, SOON_MS));
	ASSERT_EQ(0, buffer_enable(self->sim.adc, false));
}

TEST_HARNESS_MAIN
