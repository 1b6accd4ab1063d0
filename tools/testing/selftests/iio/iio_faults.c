// SPDX-License-Identifier: GPL-2.0-only
/*
 * Faults that implementations of this interface have had, by their numbers in
 * README.rst. Nothing here waits for ever, so that a kernel that has one of
 * them fails the test and goes on.
 */
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../kselftest_harness.h"
#include "iio_fixture.h"

/* A pattern that the generator does not make */
#define OLD_BYTE	0xee
#define OLD_WORD	0xeeeeeeee

/*
 * R25: the second ENQUEUE of an output buffer in transfer does not take the
 * place of the first one's fence.
 */
TEST_F(iio, r25_enqueue_again)
{
	int fence, i;

	ASSERT_EQ(0, sim_fault(&self->sim, "tx", "hold", 1));
	ASSERT_EQ(0, buffer_attach(self->out, self->a));
	ASSERT_EQ(0, buffer_enable(self->sim.dac, true));
	ASSERT_EQ(0, buffer_enqueue(self->out, self->a, 0, LEN));
	fence = fence_of(self->a, DMA_BUF_SYNC_WRITE);
	ASSERT_LE(0, fence);
	for (i = 0; i < 100; i++)
		ASSERT_EQ(-EBUSY, buffer_enqueue(self->out, self->a, 0, LEN));
	EXPECT_EQ(0, fence_status(fence));
	EXPECT_FALSE(poll_in_time(self->a, POLLOUT, 0));
	ASSERT_EQ(0, sim_fault(&self->sim, "tx", "hold", 0));
	EXPECT_EQ(1, fence_result(fence, SOON_MS));
	EXPECT_TRUE(poll_in_time(self->a, POLLOUT, SOON_MS));
	close(fence);
}

/* R26: what is queued stays queued when another one is attached */
TEST_F(iio, r26_attach_beside_queued)
{
	ASSERT_EQ(0, buffer_attach(self->in, self->a));
	ASSERT_EQ(0, buffer_enqueue(self->in, self->a, 0, LEN));
	ASSERT_EQ(0, buffer_attach(self->in, self->b));
	ASSERT_EQ(0, buffer_enqueue(self->in, self->b, 0, LEN));
	ASSERT_EQ(0, buffer_enable(self->sim.adc, true));
	EXPECT_TRUE(poll_in_time(self->a, POLLIN, SOON_MS));
	EXPECT_TRUE(poll_in_time(self->b, POLLIN, SOON_MS));
}

/* Wait until the checker has seen that many words */
static bool checked(const struct sim *sim, long words)
{
	long long end = now_ms() + SOON_MS;

	while (iio_read(sim->dac, "checked") < words) {
		if (now_ms() > end)
			return false;
		sleep_ms(1);
	}
	return true;
}

/* R27: a cyclic transfer goes on, and its fence signals when it is ended */
TEST_F(iio, r27_cyclic)
{
	int fence;

	ASSERT_EQ(0, iio_write(self->sim.dac, "checker", "counter"));
	ASSERT_EQ(0, buffer_attach(self->out, self->a));
	ASSERT_EQ(0, buffer_enqueue(self->out, self->a,
				    IIO_BUFFER_DMABUF_CYCLIC, LEN));
	fence = fence_of(self->a, DMA_BUF_SYNC_WRITE);
	ASSERT_EQ(0, buffer_enable(self->sim.dac, true));
	EXPECT_TRUE(checked(&self->sim, 20 * LEN / SAMPLE));
	EXPECT_EQ(0, fence_status(fence));
	ASSERT_EQ(0, buffer_enable(self->sim.dac, false));
	EXPECT_EQ(-EINTR, fence_result(fence, SOON_MS));
	close(fence);
}

/* R28: a transfer that could not be submitted says so and is over */
static void submit_fails(struct __test_metadata *_metadata,
			 FIXTURE_DATA(iio) *self, const char *fault)
{
	int fence;

	ASSERT_EQ(0, buffer_attach(self->in, self->a));
	ASSERT_EQ(0, sim_fault(&self->sim, "rx", fault, 1));
	ASSERT_EQ(0, buffer_enqueue(self->in, self->a, 0, LEN));
	fence = fence_of(self->a, DMA_BUF_SYNC_READ);
	ASSERT_EQ(0, buffer_enable(self->sim.adc, true));
	EXPECT_EQ(-EIO, fence_result(fence, SOON_MS));
	EXPECT_EQ(0, buffer_enqueue(self->in, self->a, 0, LEN));
	EXPECT_TRUE(poll_in_time(self->a, POLLIN, SOON_MS));
	close(fence);
}

TEST_F(iio, r28_prepare_fails)
{
	submit_fails(_metadata, self, "fail_prep");
}

TEST_F(iio, r28_submit_fails)
{
	submit_fails(_metadata, self, "fail_submit");
}

TEST_F(iio, r28_submit_fails_at_once)
{
	ASSERT_EQ(0, buffer_attach(self->in, self->a));
	ASSERT_EQ(0, buffer_enable(self->sim.adc, true));
	ASSERT_EQ(0, sim_fault(&self->sim, "rx", "fail_prep", 1));
	EXPECT_EQ(-EIO, buffer_enqueue(self->in, self->a, 0, LEN));
	EXPECT_TRUE(poll_in_time(self->a, POLLOUT, 0));
	EXPECT_EQ(0, buffer_enqueue(self->in, self->a, 0, LEN));
	EXPECT_TRUE(poll_in_time(self->a, POLLIN, SOON_MS));
}

/* R29: queued while the buffer is disabled, and then everything goes away */
static int queued(struct __test_metadata *_metadata, FIXTURE_DATA(iio) *self)
{
	int fence;

	EXPECT_EQ(0, buffer_attach(self->in, self->a));
	EXPECT_EQ(0, buffer_enqueue(self->in, self->a, 0, LEN));
	fence = fence_of(self->a, DMA_BUF_SYNC_READ);
	EXPECT_EQ(0, fence_status(fence));
	return fence;
}

TEST_F(iio, r29_close)
{
	int fence = queued(_metadata, self);

	close_now(&self->in);
	EXPECT_EQ(-EINTR, fence_result(fence, SOON_MS));
	close(fence);
}

TEST_F(iio, r29_unbind)
{
	int fence = queued(_metadata, self);

	ASSERT_EQ(0, remove_now(&self->sim));
	EXPECT_EQ(-EINTR, fence_result(fence, SOON_MS));
	close(fence);
}

/* R30: an error of the DMA is an error of the fence, and only of this one */
TEST_F(iio, r30_dma_error)
{
	int first, second;

	ASSERT_EQ(0, buffer_attach(self->in, self->a));
	ASSERT_EQ(0, buffer_attach(self->in, self->b));
	ASSERT_EQ(0, sim_fault(&self->sim, "rx", "fail_transfers", 1));
	ASSERT_EQ(0, buffer_enqueue(self->in, self->a, 0, LEN));
	ASSERT_EQ(0, buffer_enqueue(self->in, self->b, 0, LEN));
	first = fence_of(self->a, DMA_BUF_SYNC_READ);
	second = fence_of(self->b, DMA_BUF_SYNC_READ);
	ASSERT_EQ(0, buffer_enable(self->sim.adc, true));
	EXPECT_EQ(-EIO, fence_result(first, SOON_MS));
	EXPECT_EQ(1, fence_result(second, SOON_MS));
	close(first);
	close(second);
}

/*
 * R32: what is several pieces of memory is one behind an IOMMU. All of it gets
 * its samples, once.
 */
TEST_F(iio, r32_scattered_pages)
{
	/* each piece that the heap makes it of is half of the one before */
	const size_t len = MIB - PAGE, used = len - 2 * PAGE;
	int fd = memory(HEAP_SYSTEM, len);
	__u32 *words;

	ASSERT_LE(0, fd);
	words = buf_map(fd, len);
	ASSERT_NE(NULL, words);
	memset(words, OLD_BYTE, len);
	ASSERT_EQ(0, buffer_attach(self->in, fd));
	ASSERT_EQ(0, buffer_enqueue(self->in, fd, 0, used));
	ASSERT_EQ(0, buffer_enable(self->sim.adc, true));
	ASSERT_TRUE(poll_in_time(fd, POLLIN, SOON_MS));
	ASSERT_EQ(0, buf_sync(fd, DMA_BUF_SYNC_START | DMA_BUF_SYNC_READ));
	EXPECT_EQ(0, counter_check(words, used, 1, 0));
	EXPECT_EQ(OLD_WORD, words[used / SAMPLE]);
	EXPECT_EQ(OLD_WORD, words[len / SAMPLE - 1]);
	ASSERT_EQ(0, buf_sync(fd, DMA_BUF_SYNC_END | DMA_BUF_SYNC_READ));
	munmap(words, len);
	close(fd);
}

/**
 * struct waiter - a thread in an ENQUEUE that waits for somebody's fence
 * @buffer: of it, and @dmabuf
 * @tid: of the thread, once it runs
 * @said: what the call said
 */
struct waiter {
	int buffer, dmabuf;
	pid_t tid;
	int said;
};

static void *wait_in_enqueue(void *arg)
{
	struct waiter *waiter = arg;

	__atomic_store_n(&waiter->tid, syscall(SYS_gettid), __ATOMIC_RELEASE);
	waiter->said = buffer_enqueue(waiter->buffer, waiter->dmabuf, 0, LEN);
	return NULL;
}

/* R34: an ENQUEUE that waits stops nobody else who looks at the DMABUF */
TEST_F(iio, r34_poll_beside_enqueue)
{
	struct waiter waiter = { .buffer = self->in, .dmabuf = self->a };
	int timeline = timeline_open();
	int fence = timeline_fence(timeline, 1);
	pthread_t thread;
	long long begun;
	pid_t tid;
	int file;

	ASSERT_EQ(0, buffer_attach(self->in, self->a));
	ASSERT_EQ(0, buf_add_fence(self->a, DMA_BUF_SYNC_READ, fence));
	ASSERT_EQ(0, pthread_create(&thread, NULL, wait_in_enqueue, &waiter));
	do {
		sleep_ms(1);
		tid = __atomic_load_n(&waiter.tid, __ATOMIC_ACQUIRE);
	} while (!tid || !child_sleeps(tid));
	begun = now_ms();
	EXPECT_TRUE(poll_in_time(self->a, POLLIN, 0));
	EXPECT_FALSE(poll_in_time(self->a, POLLOUT, 0));
	EXPECT_EQ(0, buf_sync(self->a, DMA_BUF_SYNC_START | DMA_BUF_SYNC_READ));
	file = fence_of(self->a, DMA_BUF_SYNC_WRITE);
	EXPECT_LE(0, file);
	EXPECT_EQ(0, buffer_detach(self->in, self->a));
	EXPECT_GE(2000, now_ms() - begun);
	ASSERT_EQ(0, timeline_advance(timeline, 1));
	pthread_join(thread, NULL);
	EXPECT_EQ(-EPERM, waiter.said);
	close(file);
	close(fence);
	close(timeline);
}

static void *poll_buffer(void *arg)
{
	struct pollfd pfd = { .fd = *(int *)arg, .events = POLLIN };

	poll(&pfd, 1, SOON_MS);
	return (void *)(long)pfd.revents;
}

/* R35: who waits in poll() for a buffer is woken when its device goes */
TEST_F(iio, r35_poll_unbind_close)
{
	pthread_t thread;
	long long begun;
	void *revents;

	ASSERT_EQ(0, sim_fault(&self->sim, "rx", "hold", 1));
	ASSERT_EQ(0, buffer_enable(self->sim.adc, true));
	ASSERT_EQ(0, pthread_create(&thread, NULL, poll_buffer, &self->in));
	sleep_ms(50);
	begun = now_ms();
	ASSERT_EQ(0, remove_now(&self->sim));
	ASSERT_EQ(0, pthread_join(thread, &revents));
	EXPECT_EQ(POLLERR | POLLHUP, (long)revents);
	EXPECT_GE(SOON_MS / 2, now_ms() - begun);
	close_now(&self->in);
}

TEST_HARNESS_MAIN
