// SPDX-License-Identifier: GPL-2.0-only
/*
 * What each call answers: the ioctls of a buffer, and the one by which a program
 * gets at it, with everything that can be wrong about them.
 */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../kselftest_harness.h"
#include "iio_fixture.h"

#define DUMMY		"/sys/kernel/config/iio/devices/dummy/abi"
#define NOWHERE		((void *)8)

/* Numbers of file descriptors that are not open, and not of a DMABUF */
#define CLOSED_FD	1000

TEST_F(iio, get_fd_twice)
{
	int fd = device_open(self->sim.adc, 0);

	EXPECT_EQ(-EBUSY, device_get_fd(fd, 0));
	close_now(&self->in);
	self->in = device_get_fd(fd, 0);
	EXPECT_LE(0, self->in);
	close(fd);
}

TEST_F(iio, get_fd_of_no_buffer)
{
	int fd = device_open(self->sim.adc, 0);

	EXPECT_EQ(-ENODEV, device_get_fd(fd, 1));
	EXPECT_EQ(-ENODEV, device_get_fd(fd, -1));
	EXPECT_EQ(-ENODEV, device_get_fd(fd, 0x7fffffff));
	EXPECT_EQ(-EFAULT, do_ioctl(fd, IIO_BUFFER_GET_FD_IOCTL, NOWHERE));
	close(fd);
}

TEST_F(iio, get_fd_closes_on_exec)
{
	EXPECT_EQ(FD_CLOEXEC, fcntl(self->in, F_GETFD));
}

TEST_F(iio, other_numbers)
{
	char arg[64] = { 0 };
	int nr;

	for (nr = 0x80; nr < 0xa0; nr++) {
		if (nr >= 0x91 && nr <= 0x94)
			continue;
		EXPECT_EQ(-EINVAL, do_ioctl(self->in, _IOW('i', nr, int), arg));
	}
	/* Right number, wrong size or direction */
	EXPECT_EQ(-EINVAL, do_ioctl(self->in, _IOW('i', 0x92, __u64), arg));
	EXPECT_EQ(-EINVAL, do_ioctl(self->in, _IOR('i', 0x92, int), arg));
	EXPECT_EQ(-EINVAL, do_ioctl(self->in, _IOW('i', 0x94, int), arg));
	EXPECT_EQ(-EINVAL, do_ioctl(self->in, _IOW('j', 0x92, int), arg));
}

static int call(int buffer, unsigned long cmd, int fd)
{
	struct iio_dmabuf arg = { .fd = fd, .bytes_used = LEN };

	return cmd == IIO_BUFFER_DMABUF_ENQUEUE_IOCTL ?
	       do_ioctl(buffer, cmd, &arg) : do_ioctl(buffer, cmd, &fd);
}

static const unsigned long calls[] = {
	IIO_BUFFER_DMABUF_ATTACH_IOCTL,
	IIO_BUFFER_DMABUF_DETACH_IOCTL,
	IIO_BUFFER_DMABUF_ENQUEUE_IOCTL,
};

TEST_F(iio, argument_is_not_there)
{
	int i;

	for (i = 0; i < 3; i++)
		EXPECT_EQ(-EFAULT, do_ioctl(self->in, calls[i], NOWHERE));
}

TEST_F(iio, descriptor_is_not_open)
{
	int i;

	for (i = 0; i < 3; i++) {
		EXPECT_EQ(-EBADF, call(self->in, calls[i], -1));
		EXPECT_EQ(-EBADF, call(self->in, calls[i], CLOSED_FD));
	}
}

TEST_F(iio, descriptor_is_of_something_else)
{
	int fd = eventfd(0, EFD_CLOEXEC);
	int i;

	for (i = 0; i < 3; i++) {
		EXPECT_EQ(-EINVAL, call(self->in, calls[i], fd));
		EXPECT_EQ(-EINVAL, call(self->in, calls[i], self->in));
	}
	close(fd);
}

TEST_F(iio, device_is_gone)
{
	int i;

	ASSERT_EQ(0, buffer_attach(self->in, self->a));
	ASSERT_EQ(0, remove_now(&self->sim));
	for (i = 0; i < 3; i++) {
		EXPECT_EQ(-ENODEV, call(self->in, calls[i], self->a));
		EXPECT_EQ(-ENODEV, call(self->in, calls[i], self->b));
		EXPECT_EQ(-ENODEV, call(self->out, calls[i], self->b));
	}
}

TEST_F(iio, attach)
{
	EXPECT_EQ(0, buffer_attach(self->in, self->a));
	EXPECT_EQ(0, buffer_attach(self->in, self->b));
	EXPECT_EQ(0, buffer_detach(self->in, self->a));
	EXPECT_EQ(0, buffer_detach(self->in, self->b));
}

TEST_F(iio, attach_twice)
{
	int dup_fd = dup(self->a);

	ASSERT_EQ(0, buffer_attach(self->in, self->a));
	EXPECT_EQ(-EBUSY, buffer_attach(self->in, self->a));
	EXPECT_EQ(-EBUSY, buffer_attach(self->in, dup_fd));
	EXPECT_EQ(0, buffer_attach(self->out, self->a));
	EXPECT_EQ(0, buffer_detach(self->in, dup_fd));
	EXPECT_EQ(0, buffer_attach(self->in, self->a));
	close(dup_fd);
}

/* kfifo has no DMA */
TEST_F(iio, attach_to_a_fifo)
{
	int n, fd, buffer;

	ASSERT_EQ(0, mkdir(DUMMY, 0755));
	/* The last one that was made */
	for (n = 16; n >= 0; n--) {
		fd = device_open(n, 0);
		if (fd >= 0)
			break;
	}
	ASSERT_LE(0, fd);
	buffer = device_get_fd(fd, 0);
	close(fd);
	ASSERT_LE(0, buffer);
	EXPECT_EQ(-EPERM, buffer_attach(buffer, self->a));
	/* before anything else is looked at */
	EXPECT_EQ(-EPERM, buffer_attach(buffer, CLOSED_FD));
	EXPECT_EQ(-EPERM, do_ioctl(buffer, IIO_BUFFER_DMABUF_ATTACH_IOCTL,
				   NOWHERE));
	EXPECT_EQ(-EPERM, buffer_detach(buffer, self->a));
	EXPECT_EQ(-EPERM, buffer_enqueue(buffer, self->a, 0, LEN));
	close(buffer);
	EXPECT_EQ(0, rmdir(DUMMY));
}

/* A buffer that read() is using */
TEST_F(iio, attach_beside_read)
{
	__u32 words[4];

	ASSERT_EQ(0, buffer_enable(self->sim.adc, true));
	ASSERT_EQ(sizeof(words), read(self->in, words, sizeof(words)));
	EXPECT_EQ(-EBUSY, buffer_attach(self->in, self->a));
	ASSERT_EQ(0, buffer_enable(self->sim.adc, false));
}

TEST_F(iio, attach_beside_write)
{
	__u32 words[4] = { 0, 1, 2, 3 };

	ASSERT_EQ(0, buffer_enable(self->sim.dac, true));
	ASSERT_EQ(sizeof(words), write(self->out, words, sizeof(words)));
	EXPECT_EQ(-EBUSY, buffer_attach(self->out, self->a));
	ASSERT_EQ(0, buffer_enable(self->sim.dac, false));
}

/* The error of a transfer is said once, and then it goes on */
TEST_F(iio, read_of_a_failed_transfer)
{
	__u32 words[4];

	ASSERT_EQ(0, sim_fault(&self->sim, "rx", "fail_transfers", 1));
	ASSERT_EQ(0, buffer_enable(self->sim.adc, true));
	EXPECT_EQ(-1, read(self->in, words, sizeof(words)));
	EXPECT_EQ(EIO, errno);
	ASSERT_EQ(sizeof(words), read(self->in, words, sizeof(words)));
	EXPECT_EQ(0, counter_check(words, sizeof(words), 1, words[0]));
	ASSERT_EQ(0, buffer_enable(self->sim.adc, false));
}

TEST_F(iio, write_after_a_failed_transfer)
{
	__u32 words[KIB] = { 0 };
	ssize_t n = 0;
	int i;

	ASSERT_EQ(0, sim_fault(&self->sim, "tx", "fail_transfers", 1));
	ASSERT_EQ(0, buffer_enable(self->sim.dac, true));
	for (i = 0; i < 100 && n >= 0; i++)
		n = write(self->out, words, sizeof(words));
	EXPECT_EQ(-1, n);
	EXPECT_EQ(EIO, errno);
	EXPECT_LT(0, write(self->out, words, sizeof(words)));
	ASSERT_EQ(0, buffer_enable(self->sim.dac, false));
}

/* Two blocks for read() of which not even one can be had */
TEST_F(iio, length_beyond_memory)
{
	static const char * const lengths[] = {
		"2147483647", "2147483648", "4000000000", "4294967295",
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(lengths); i++) {
		ASSERT_EQ(0, iio_write(self->sim.adc, "buffer0/length",
				       lengths[i]));
		EXPECT_EQ(-ENOMEM, buffer_enable(self->sim.adc, true));
	}
	ASSERT_EQ(0, iio_write(self->sim.adc, "buffer0/length", "1024"));
	ASSERT_EQ(0, buffer_enable(self->sim.adc, true));
	ASSERT_EQ(0, buffer_enable(self->sim.adc, false));
}

TEST_F(iio, alignment_is_told)
{
	EXPECT_EQ(SAMPLE, iio_read(self->sim.adc, "buffer0/length_align_bytes"));
}

/* And the other way round, with O_NONBLOCK or not: R33 */
TEST_F(iio, read_beside_attach)
{
	__u32 words[4];

	ASSERT_EQ(0, buffer_attach(self->in, self->a));
	EXPECT_EQ(-1, read(self->in, words, sizeof(words)));
	EXPECT_EQ(EBUSY, errno);
	ASSERT_EQ(0, fcntl(self->in, F_SETFL, O_NONBLOCK));
	EXPECT_EQ(-1, read(self->in, words, sizeof(words)));
	EXPECT_EQ(EBUSY, errno);
	ASSERT_EQ(0, buffer_enable(self->sim.adc, true));
	EXPECT_EQ(-1, read(self->in, words, sizeof(words)));
	EXPECT_EQ(EBUSY, errno);
	ASSERT_EQ(0, buffer_enable(self->sim.adc, false));
}

TEST_F(iio, write_beside_attach)
{
	__u32 words[4] = { 0 };

	ASSERT_EQ(0, buffer_attach(self->out, self->a));
	EXPECT_EQ(-1, write(self->out, words, sizeof(words)));
	EXPECT_EQ(EBUSY, errno);
	ASSERT_EQ(0, fcntl(self->out, F_SETFL, O_NONBLOCK));
	EXPECT_EQ(-1, write(self->out, words, sizeof(words)));
	EXPECT_EQ(EBUSY, errno);
}

TEST_F(iio, detach_what_is_not_attached)
{
	EXPECT_EQ(-EPERM, buffer_detach(self->in, self->a));
	ASSERT_EQ(0, buffer_attach(self->in, self->a));
	EXPECT_EQ(-EPERM, buffer_detach(self->in, self->b));
	EXPECT_EQ(-EPERM, buffer_detach(self->out, self->a));
	EXPECT_EQ(0, buffer_detach(self->in, self->a));
	EXPECT_EQ(-EPERM, buffer_detach(self->in, self->a));
}

TEST_F(iio, enqueue_unknown_flags)
{
	int bit;

	ASSERT_EQ(0, buffer_attach(self->out, self->a));
	for (bit = 1; bit < 32; bit++) {
		EXPECT_EQ(-EINVAL, buffer_enqueue(self->out, self->a,
						  1U << bit, LEN));
		/* before the descriptor is looked at */
		EXPECT_EQ(-EINVAL, buffer_enqueue(self->out, CLOSED_FD,
						  1U << bit, LEN));
	}
}

TEST_F(iio, enqueue_cyclic_capture)
{
	ASSERT_EQ(0, buffer_attach(self->in, self->a));
	EXPECT_EQ(-EINVAL, buffer_enqueue(self->in, self->a,
					  IIO_BUFFER_DMABUF_CYCLIC, LEN));
	EXPECT_EQ(-EINVAL, buffer_enqueue(self->in, CLOSED_FD,
					  IIO_BUFFER_DMABUF_CYCLIC, LEN));
}

TEST_F(iio, enqueue_bad_lengths)
{
	static const __u64 lengths[] = {
		0, LEN + 1, LEN + SAMPLE, 2 * LEN, 1ULL << 32,
		(1ULL << 32) + LEN, 1ULL << 63, ~0ULL,
	};
	unsigned int i;

	/* whether it is attached does not matter yet */
	EXPECT_EQ(-EINVAL, buffer_enqueue(self->in, self->b, 0, 0));
	ASSERT_EQ(0, buffer_attach(self->in, self->a));
	for (i = 0; i < ARRAY_SIZE(lengths); i++)
		EXPECT_EQ(-EINVAL, buffer_enqueue(self->in, self->a, 0,
						  lengths[i]));
	EXPECT_EQ(0, buffer_enqueue(self->in, self->a, 0, SAMPLE));
}

/* Two channels make scans of eight bytes, before the start and after it */
TEST_F(iio, enqueue_part_of_a_scan)
{
	ASSERT_EQ(0, buffer_channels(self->sim.adc, false, 3));
	ASSERT_EQ(0, buffer_attach(self->in, self->a));
	EXPECT_EQ(-EINVAL, buffer_enqueue(self->in, self->a, 0, 4));
	EXPECT_EQ(-EINVAL, buffer_enqueue(self->in, self->a, 0, LEN - 4));
	EXPECT_EQ(-EINVAL, buffer_enqueue(self->in, self->a, 0, LEN - 1));
	ASSERT_EQ(0, buffer_enable(self->sim.adc, true));
	EXPECT_EQ(-EINVAL, buffer_enqueue(self->in, self->a, 0, LEN - 4));
	EXPECT_EQ(-EINVAL, buffer_enqueue(self->in, self->a, 0, LEN - 1));
	EXPECT_EQ(0, buffer_enqueue(self->in, self->a, 0, LEN - 8));
	EXPECT_TRUE(poll_in_time(self->a, POLLIN, SOON_MS));
	ASSERT_EQ(0, buffer_enable(self->sim.adc, false));
}

TEST_F(iio, enqueue_what_is_not_attached)
{
	EXPECT_EQ(-EPERM, buffer_enqueue(self->in, self->a, 0, LEN));
	ASSERT_EQ(0, buffer_attach(self->in, self->a));
	EXPECT_EQ(-EPERM, buffer_enqueue(self->in, self->b, 0, LEN));
	EXPECT_EQ(-EPERM, buffer_enqueue(self->out, self->a, 0, LEN));
	ASSERT_EQ(0, buffer_detach(self->in, self->a));
	EXPECT_EQ(-EPERM, buffer_enqueue(self->in, self->a, 0, LEN));
}

TEST_F(iio, enqueue_what_is_queued)
{
	ASSERT_EQ(0, buffer_attach(self->in, self->a));
	ASSERT_EQ(0, buffer_enqueue(self->in, self->a, 0, LEN));
	EXPECT_EQ(-EPERM, buffer_enqueue(self->in, self->a, 0, LEN));
	EXPECT_EQ(-EPERM, buffer_enqueue(self->in, self->a, 0, LEN));
}

TEST_F(iio, enqueue_what_is_in_transfer)
{
	ASSERT_EQ(0, sim_fault(&self->sim, "rx", "hold", 1));
	ASSERT_EQ(0, buffer_attach(self->in, self->a));
	ASSERT_EQ(0, buffer_enable(self->sim.adc, true));
	ASSERT_EQ(0, buffer_enqueue(self->in, self->a, 0, LEN));
	EXPECT_EQ(-EBUSY, buffer_enqueue(self->in, self->a, 0, LEN));
	ASSERT_EQ(0, sim_fault(&self->sim, "rx", "hold", 0));
	EXPECT_TRUE(poll_in_time(self->a, POLLIN, SOON_MS));
	EXPECT_EQ(0, buffer_enqueue(self->in, self->a, 0, LEN));
	EXPECT_TRUE(poll_in_time(self->a, POLLIN, SOON_MS));
}

/* The driver says no: at once, and not for ever */
TEST_F(iio, enqueue_what_the_driver_refuses)
{
	ASSERT_EQ(0, buffer_attach(self->in, self->a));
	ASSERT_EQ(0, buffer_enable(self->sim.adc, true));
	ASSERT_EQ(0, sim_fault(&self->sim, "rx", "fail_prep", 1));
	EXPECT_EQ(-EIO, buffer_enqueue(self->in, self->a, 0, LEN));
	ASSERT_EQ(0, sim_fault(&self->sim, "rx", "fail_submit", 1));
	EXPECT_EQ(-EIO, buffer_enqueue(self->in, self->a, 0, LEN));
	EXPECT_EQ(0, buffer_enqueue(self->in, self->a, 0, LEN));
	EXPECT_TRUE(poll_in_time(self->a, POLLIN, SOON_MS));
}

/* A writer, and for capture a reader as well, of somebody else */
static void foreign(struct __test_metadata *_metadata,
		    FIXTURE_DATA(iio) *self, int buffer, __u32 usage,
		    int expected)
{
	int timeline = timeline_open();
	int fence = timeline_fence(timeline, 1);

	ASSERT_LE(0, fence);
	ASSERT_EQ(0, buffer_attach(buffer, self->a));
	ASSERT_EQ(0, buf_add_fence(self->a, usage, fence));
	ASSERT_EQ(0, fcntl(buffer, F_SETFL, O_NONBLOCK));
	EXPECT_EQ(expected, buffer_enqueue(buffer, self->a, 0, LEN));
	ASSERT_EQ(0, timeline_advance(timeline, 1));
	if (expected)
		EXPECT_EQ(0, buffer_enqueue(buffer, self->a, 0, LEN));
	close(fence);
	close(timeline);
}

TEST_F(iio, enqueue_capture_beside_writer)
{
	foreign(_metadata, self, self->in, DMA_BUF_SYNC_WRITE, -EBUSY);
}

TEST_F(iio, enqueue_capture_beside_reader)
{
	foreign(_metadata, self, self->in, DMA_BUF_SYNC_READ, -EBUSY);
}

TEST_F(iio, enqueue_playback_beside_writer)
{
	foreign(_metadata, self, self->out, DMA_BUF_SYNC_WRITE, -EBUSY);
}

TEST_F(iio, enqueue_playback_beside_reader)
{
	foreign(_metadata, self, self->out, DMA_BUF_SYNC_READ, 0);
}

static void on_signal(int sig)
{
}

/* Sends a signal when the thread it is meant for sleeps */
static void *interrupt(void *arg)
{
	pid_t tid = *(pid_t *)arg;

	while (!child_sleeps(tid))
		sleep_ms(1);
	syscall(SYS_tgkill, getpid(), tid, SIGUSR1);
	return NULL;
}

TEST_F(iio, enqueue_interrupted)
{
	struct sigaction sa = { .sa_handler = on_signal };
	int timeline = timeline_open();
	int fence = timeline_fence(timeline, 1);
	pid_t tid = syscall(SYS_gettid);
	pthread_t thread;

	sigaction(SIGUSR1, &sa, NULL);
	ASSERT_EQ(0, buffer_attach(self->in, self->a));
	ASSERT_EQ(0, buf_add_fence(self->a, DMA_BUF_SYNC_WRITE, fence));
	ASSERT_EQ(0, pthread_create(&thread, NULL, interrupt, &tid));
	EXPECT_EQ(-EINTR, buffer_enqueue(self->in, self->a, 0, LEN));
	pthread_join(thread, NULL);
	ASSERT_EQ(0, timeline_advance(timeline, 1));
	EXPECT_EQ(0, buffer_enqueue(self->in, self->a, 0, LEN));
	close(fence);
	close(timeline);
}

/* One that never comes: five seconds, and no more */
TEST_F(iio, enqueue_gives_up)
{
	int timeline = timeline_open();
	int fence = timeline_fence(timeline, 1);
	long long begun;

	ASSERT_EQ(0, buffer_attach(self->in, self->a));
	ASSERT_EQ(0, buf_add_fence(self->a, DMA_BUF_SYNC_WRITE, fence));
	begun = now_ms();
	EXPECT_EQ(-EBUSY, buffer_enqueue(self->in, self->a, 0, LEN));
	EXPECT_LE(4900, now_ms() - begun);
	EXPECT_GE(5000 + SOON_MS, now_ms() - begun);
	close(fence);
	close(timeline);
}

/* poll() on the buffer's file is about read() and write() */
TEST_F(iio, poll_of_the_buffer)
{
	struct pollfd pfd = { .fd = self->in, .events = POLLIN };

	ASSERT_EQ(0, buffer_attach(self->in, self->a));
	ASSERT_EQ(0, buffer_enable(self->sim.adc, true));
	ASSERT_EQ(0, buffer_enqueue(self->in, self->a, 0, LEN));
	ASSERT_TRUE(poll_in_time(self->a, POLLIN, SOON_MS));
	EXPECT_EQ(0, poll(&pfd, 1, 0));
	ASSERT_EQ(0, buffer_enable(self->sim.adc, false));
}

#define SETTINGS	10000

/* Keeps setting how the converter is paced, never how often it samples */
static void *set_full_speed(void *arg)
{
	const int *fd = arg;
	unsigned int i;

	for (i = 0; i < SETTINGS; i++)
		if (pwrite(*fd, i % 2 ? "1" : "0", 1, 0) != 1)
			return arg;
	return NULL;
}

static int open_setting(int device, const char *name)
{
	char path[96];

	snprintf(path, sizeof(path), "/sys/bus/iio/devices/iio:device%d/%s",
		 device, name);
	return open(path, O_RDWR | O_CLOEXEC);
}

/* Two writers, each of one setting: the other one's stays */
TEST_F_TIMEOUT(iio, settings_are_apart, 120)
{
	int frequency = open_setting(self->sim.adc, "sampling_frequency");
	int full_speed = open_setting(self->sim.adc, "full_speed");
	unsigned int i, lost = 0;
	pthread_t thread;
	void *failed;

	ASSERT_LE(0, frequency);
	ASSERT_LE(0, full_speed);
	ASSERT_EQ(0, pthread_create(&thread, NULL, set_full_speed,
				    &full_speed));
	for (i = 0; i < SETTINGS; i++) {
		char set[16] = "", got[16] = "";
		int len = snprintf(set, sizeof(set), "%u\n", 1000 + i);

		ASSERT_EQ(len, pwrite(frequency, set, len, 0));
		ASSERT_EQ(len, pread(frequency, got, sizeof(got) - 1, 0));
		lost += strcmp(set, got) != 0;
	}
	pthread_join(thread, &failed);
	EXPECT_EQ(NULL, failed);
	EXPECT_EQ(0, lost);
	EXPECT_EQ(1, iio_read(self->sim.adc, "full_speed"));
	close(frequency);
	close(full_speed);
}

TEST_HARNESS_MAIN
