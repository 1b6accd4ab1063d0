// SPDX-License-Identifier: GPL-2.0-only
/*
 * How transfers end: done, failed, refused, repeated until somebody has enough,
 * or with everything around them gone. Whatever it is, the fence says so, once,
 * the buffer goes on with what comes next, and nobody keeps the fence.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../kselftest_harness.h"
#include "iio_fixture.h"

#define WORDS		(LEN / SAMPLE)
#define EVERYBODY	DMA_BUF_SYNC_RW

/* What the checker expects, in memory of that kind */
static int filled(const char *kind, size_t len)
{
	int fd = memory(kind, len);
	__u32 *words;

	if (fd < 0)
		return fd;
	words = buf_map(fd, len);
	if (!words)
		return -ENOMEM;
	buf_sync(fd, DMA_BUF_SYNC_START | DMA_BUF_SYNC_WRITE);
	counter_fill(words, len, 1, 0);
	buf_sync(fd, DMA_BUF_SYNC_END | DMA_BUF_SYNC_WRITE);
	munmap(words, len);
	return fd;
}

/* Does the checker get that far? */
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

/* ENQUEUE, and the fence of it if that worked; taken while it cannot be over */
static int enqueue_fence(int buffer, int dmabuf, __u32 flags)
{
	int ret = buffer_enqueue(buffer, dmabuf, flags, LEN);

	return ret ? ret : fence_of(dmabuf, EVERYBODY);
}

/* By what a cyclic transfer is ended */
enum way { DISABLE, DETACH, CLOSE, UNBIND };

static void end_by(struct __test_metadata *_metadata, FIXTURE_DATA(iio) *self,
		   enum way way, int dmabuf)
{
	switch (way) {
	case DISABLE:
		EXPECT_EQ(0, buffer_enable(self->sim.dac, false));
		break;
	case DETACH:
		EXPECT_EQ(0, buffer_detach(self->out, dmabuf));
		break;
	case CLOSE:
		close_now(&self->out);
		break;
	case UNBIND:
		EXPECT_EQ(0, remove_now(&self->sim));
		break;
	}
}

/* R27: twenty rounds and more, one fence, no word wrong but where it repeats */
static void cyclic(struct __test_metadata *_metadata, FIXTURE_DATA(iio) *self,
		   const char *kind, enum way way)
{
	int fd = filled(kind, LEN);
	long words, mismatches, signalled;
	int fence;

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, iio_write(self->sim.dac, "checker", "counter"));
	ASSERT_EQ(0, buffer_attach(self->out, fd));
	ASSERT_EQ(0, buffer_enable(self->sim.dac, true));
	fence = enqueue_fence(self->out, fd, IIO_BUFFER_DMABUF_CYCLIC);
	ASSERT_LE(0, fence);
	EXPECT_EQ(-EBUSY, buffer_enqueue(self->out, fd, 0, LEN));
	signalled = iio_fences_signalled();
	EXPECT_TRUE(checked(&self->sim, 20 * WORDS));
	mismatches = iio_read(self->sim.dac, "mismatches");
	words = iio_read(self->sim.dac, "checked");
	EXPECT_LE(mismatches, words / (long)WORDS);
	EXPECT_EQ(0, fence_status(fence));
	EXPECT_EQ(signalled, iio_fences_signalled());
	end_by(_metadata, self, way, fd);
	EXPECT_EQ(-EINTR, fence_result(fence, SOON_MS));
	EXPECT_TRUE(poll_in_time(fd, POLLOUT, SOON_MS));
	EXPECT_EQ(signalled + 1, iio_fences_signalled());
	close(fence);
	close(fd);
}

TEST_F(iio, cyclic_until_disabled)
{
	cyclic(_metadata, self, HEAP_CMA, DISABLE);
}

TEST_F(iio, cyclic_until_detached)
{
	cyclic(_metadata, self, HEAP_CMA, DETACH);
}

TEST_F(iio, cyclic_until_closed)
{
	cyclic(_metadata, self, HEAP_CMA, CLOSE);
}

TEST_F(iio, cyclic_until_unbound)
{
	cyclic(_metadata, self, HEAP_CMA, UNBIND);
}

TEST_F(iio, scattered_cyclic_until_disabled)
{
	cyclic(_metadata, self, HEAP_UDMABUF, DISABLE);
}

TEST_F(iio, scattered_cyclic_until_detached)
{
	cyclic(_metadata, self, HEAP_UDMABUF, DETACH);
}

TEST_F(iio, scattered_cyclic_until_closed)
{
	cyclic(_metadata, self, HEAP_UDMABUF, CLOSE);
}

TEST_F(iio, scattered_cyclic_until_unbound)
{
	cyclic(_metadata, self, HEAP_UDMABUF, UNBIND);
}

/* What was queued behind a cyclic transfer comes when that one has ended */
TEST_F(iio, cyclic_lets_the_next_one_go)
{
	int fence, next;

	ASSERT_EQ(0, buffer_attach(self->out, self->a));
	ASSERT_EQ(0, buffer_attach(self->out, self->b));
	ASSERT_EQ(0, buffer_enable(self->sim.dac, true));
	fence = enqueue_fence(self->out, self->a, IIO_BUFFER_DMABUF_CYCLIC);
	ASSERT_LE(0, fence);
	next = enqueue_fence(self->out, self->b, 0);
	ASSERT_LE(0, next);
	EXPECT_EQ(-EPERM, buffer_enqueue(self->out, self->b, 0, LEN));
	EXPECT_EQ(0, fence_status(next));
	EXPECT_EQ(0, buffer_detach(self->out, self->a));
	EXPECT_EQ(-EINTR, fence_result(fence, SOON_MS));
	EXPECT_EQ(1, fence_result(next, SOON_MS));
	close(fence);
	close(next);
}

/* A round that fails is the last one */
static void cyclic_fails(struct __test_metadata *_metadata,
			 FIXTURE_DATA(iio) *self, const char *kind)
{
	int fd = memory(kind, LEN);
	int fence;

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, buffer_attach(self->out, fd));
	ASSERT_EQ(0, buffer_enable(self->sim.dac, true));
	fence = enqueue_fence(self->out, fd, IIO_BUFFER_DMABUF_CYCLIC);
	ASSERT_LE(0, fence);
	ASSERT_EQ(0, sim_fault(&self->sim, "tx", "fail_transfers", 1));
	EXPECT_EQ(-EIO, fence_result(fence, SOON_MS));
	close(fence);
	/* The block is idle again, and the channel works */
	EXPECT_EQ(0, buffer_enqueue(self->out, fd, 0, LEN));
	EXPECT_TRUE(poll_in_time(fd, POLLOUT, SOON_MS));
	close(fd);
}

TEST_F(iio, cyclic_fails)
{
	cyclic_fails(_metadata, self, HEAP_CMA);
}

TEST_F(iio, scattered_cyclic_fails)
{
	cyclic_fails(_metadata, self, HEAP_UDMABUF);
}

/* R28, playback: ENQUEUE says it, nobody else hears of it */
static void refused(struct __test_metadata *_metadata, FIXTURE_DATA(iio) *self,
		    const char *fault, long times, __u32 flags)
{
	int fd = memory(HEAP_CMA, LEN);

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, buffer_attach(self->out, fd));
	ASSERT_EQ(0, buffer_enable(self->sim.dac, true));
	ASSERT_EQ(0, sim_fault(&self->sim, "tx", fault, times));
	EXPECT_EQ(-EIO, buffer_enqueue(self->out, fd, flags, LEN));
	EXPECT_EQ(0, sim_faults_left(&self->sim, "tx", fault));
	EXPECT_TRUE(poll_in_time(fd, POLLOUT, 0));
	EXPECT_EQ(0, buffer_enqueue(self->out, fd, 0, LEN));
	EXPECT_TRUE(poll_in_time(fd, POLLOUT, SOON_MS));
	close(fd);
}

TEST_F(iio, prepare_refused)
{
	refused(_metadata, self, "fail_prep", 1, 0);
}

TEST_F(iio, submit_refused)
{
	refused(_metadata, self, "fail_submit", 1, 0);
}

/* As one cyclic descriptor, and then as one after the other */
TEST_F(iio, cyclic_prepare_refused)
{
	refused(_metadata, self, "fail_prep", 2, IIO_BUFFER_DMABUF_CYCLIC);
}

TEST_F(iio, cyclic_submit_refused)
{
	refused(_metadata, self, "fail_submit", 1, IIO_BUFFER_DMABUF_CYCLIC);
}

/* A controller that has no room for a cyclic descriptor has for others */
TEST_F(iio, cyclic_without_cyclic_descriptor)
{
	ASSERT_EQ(0, sim_fault(&self->sim, "tx", "fail_prep", 1));
	cyclic(_metadata, self, HEAP_CMA, DISABLE);
	EXPECT_EQ(0, sim_faults_left(&self->sim, "tx", "fail_prep"));
}

/* Refused when the buffer is enabled: that one alone, not those behind it */
TEST_F(iio, refused_at_enable)
{
	int first, second;

	ASSERT_EQ(0, buffer_attach(self->out, self->a));
	ASSERT_EQ(0, buffer_attach(self->out, self->b));
	first = enqueue_fence(self->out, self->a, 0);
	second = enqueue_fence(self->out, self->b, 0);
	ASSERT_LE(0, first);
	ASSERT_LE(0, second);
	ASSERT_EQ(0, sim_fault(&self->sim, "tx", "fail_submit", 1));
	ASSERT_EQ(0, buffer_enable(self->sim.dac, true));
	EXPECT_EQ(-EIO, fence_result(first, SOON_MS));
	EXPECT_EQ(1, fence_result(second, SOON_MS));
	EXPECT_EQ(0, buffer_enqueue(self->out, self->a, 0, LEN));
	EXPECT_TRUE(poll_in_time(self->a, POLLOUT, SOON_MS));
	close(first);
	close(second);
}

/* R29: waiting for a buffer that is never enabled, in both directions */
static void waiting(struct __test_metadata *_metadata, FIXTURE_DATA(iio) *self,
		    int fences[2])
{
	ASSERT_EQ(0, buffer_attach(self->in, self->a));
	ASSERT_EQ(0, buffer_attach(self->out, self->b));
	fences[0] = enqueue_fence(self->in, self->a, 0);
	fences[1] = enqueue_fence(self->out, self->b, 0);
	ASSERT_LE(0, fences[0]);
	ASSERT_LE(0, fences[1]);
	EXPECT_EQ(0, fence_status(fences[0]));
	EXPECT_EQ(0, fence_status(fences[1]));
}

/* R29: one is held in transfer, another one comes after it */
static void in_transfer(struct __test_metadata *_metadata,
			FIXTURE_DATA(iio) *self, int fences[2])
{
	ASSERT_EQ(0, sim_fault(&self->sim, "tx", "hold", 1));
	ASSERT_EQ(0, buffer_attach(self->out, self->a));
	ASSERT_EQ(0, buffer_attach(self->out, self->b));
	ASSERT_EQ(0, buffer_enable(self->sim.dac, true));
	fences[0] = enqueue_fence(self->out, self->a, 0);
	fences[1] = enqueue_fence(self->out, self->b, 0);
	ASSERT_LE(0, fences[0]);
	ASSERT_LE(0, fences[1]);
	EXPECT_EQ(0, fence_status(fences[0]));
}

static void both_end(struct __test_metadata *_metadata, int fences[2],
		     int result)
{
	EXPECT_EQ(result, fence_result(fences[0], SOON_MS));
	EXPECT_EQ(result, fence_result(fences[1], SOON_MS));
	close(fences[0]);
	close(fences[1]);
}

TEST_F(iio, waiting_when_closed)
{
	int fences[2];

	waiting(_metadata, self, fences);
	close_now(&self->in);
	close_now(&self->out);
	both_end(_metadata, fences, -EINTR);
}

TEST_F(iio, waiting_when_detached)
{
	int fences[2];

	waiting(_metadata, self, fences);
	EXPECT_EQ(0, buffer_detach(self->in, self->a));
	EXPECT_EQ(0, buffer_detach(self->out, self->b));
	both_end(_metadata, fences, -EINTR);
}

TEST_F(iio, waiting_when_unbound)
{
	int fences[2];

	waiting(_metadata, self, fences);
	EXPECT_EQ(0, remove_now(&self->sim));
	both_end(_metadata, fences, -EINTR);
}

/* The DMABUF belongs to the transfer as well as to those who have it open */
TEST_F(iio, waiting_when_dmabufs_are_closed)
{
	int fences[2];

	waiting(_metadata, self, fences);
	close_now(&self->a);
	close_now(&self->b);
	ASSERT_EQ(0, buffer_enable(self->sim.adc, true));
	ASSERT_EQ(0, buffer_enable(self->sim.dac, true));
	both_end(_metadata, fences, 1);
}

TEST_F(iio, in_transfer_when_disabled)
{
	int fences[2];

	in_transfer(_metadata, self, fences);
	EXPECT_EQ(0, buffer_enable(self->sim.dac, false));
	both_end(_metadata, fences, -EINTR);
}

TEST_F(iio, in_transfer_when_unbound)
{
	int fences[2];

	in_transfer(_metadata, self, fences);
	EXPECT_EQ(0, remove_now(&self->sim));
	both_end(_metadata, fences, -EINTR);
}

/* Closing and detaching wait for nobody: what the hardware has, it does */
TEST_F(iio, in_transfer_when_closed)
{
	int fences[2];

	in_transfer(_metadata, self, fences);
	close_now(&self->out);
	EXPECT_EQ(0, fence_status(fences[0]));
	ASSERT_EQ(0, sim_fault(&self->sim, "tx", "hold", 0));
	both_end(_metadata, fences, 1);
}

TEST_F(iio, in_transfer_when_detached)
{
	int fences[2];

	in_transfer(_metadata, self, fences);
	EXPECT_EQ(0, buffer_detach(self->out, self->a));
	EXPECT_EQ(-EPERM, buffer_enqueue(self->out, self->a, 0, LEN));
	EXPECT_EQ(0, fence_status(fences[0]));
	ASSERT_EQ(0, sim_fault(&self->sim, "tx", "hold", 0));
	both_end(_metadata, fences, 1);
	EXPECT_EQ(0, buffer_attach(self->out, self->a));
}

/* R30: each kind of error, in each direction, is in the fence of that transfer */
static void fails(struct __test_metadata *_metadata, FIXTURE_DATA(iio) *self,
		  bool out, const char *fault, int error)
{
	int buffer = out ? self->out : self->in;
	int device = out ? self->sim.dac : self->sim.adc;
	int first, second;

	ASSERT_EQ(0, buffer_attach(buffer, self->a));
	ASSERT_EQ(0, buffer_attach(buffer, self->b));
	ASSERT_EQ(0, sim_fault(&self->sim, out ? "tx" : "rx", "short_residue",
			       SAMPLE));
	ASSERT_EQ(0, sim_fault(&self->sim, out ? "tx" : "rx", fault, 1));
	first = enqueue_fence(buffer, self->a, 0);
	second = enqueue_fence(buffer, self->b, 0);
	ASSERT_LE(0, first);
	ASSERT_LE(0, second);
	ASSERT_EQ(0, buffer_enable(device, true));
	EXPECT_EQ(error, fence_result(first, SOON_MS));
	EXPECT_EQ(1, fence_result(second, SOON_MS));
	close(first);
	close(second);
}

TEST_F(iio, capture_fails)
{
	fails(_metadata, self, false, "fail_transfers", -EIO);
}

TEST_F(iio, playback_fails)
{
	fails(_metadata, self, true, "fail_transfers", -EIO);
}

TEST_F(iio, capture_is_short)
{
	fails(_metadata, self, false, "short_transfers", -ENODATA);
}

TEST_F(iio, playback_is_short)
{
	fails(_metadata, self, true, "short_transfers", -ENODATA);
}

/* R31: all a transfer leaves behind is the DMABUF's last fence */
TEST_F(iio, fences_are_freed)
{
	int i;

	ASSERT_EQ(0, buffer_attach(self->in, self->a));
	ASSERT_EQ(0, buffer_attach(self->out, self->b));
	ASSERT_EQ(0, buffer_enable(self->sim.adc, true));
	ASSERT_EQ(0, buffer_enable(self->sim.dac, true));
	for (i = 0; i < 500; i++) {
		ASSERT_EQ(0, buffer_enqueue(self->in, self->a, 0, LEN));
		ASSERT_EQ(0, buffer_enqueue(self->out, self->b, 0, LEN));
		ASSERT_TRUE(poll_in_time(self->a, POLLOUT, SOON_MS));
		ASSERT_TRUE(poll_in_time(self->b, POLLOUT, SOON_MS));
	}
	EXPECT_GE(4, iio_fences_live() - self->mark.live);
}

TEST_F(iio, fences_of_refused_transfers_are_freed)
{
	int i;

	ASSERT_EQ(0, buffer_attach(self->out, self->a));
	ASSERT_EQ(0, buffer_enqueue(self->out, self->a, 0, LEN));
	for (i = 0; i < 500; i++) {
		ASSERT_EQ(-EPERM, buffer_enqueue(self->out, self->a, 0, LEN));
		ASSERT_EQ(-EPERM, buffer_enqueue(self->out, self->b, 0, LEN));
	}
	EXPECT_GE(1, iio_fences_live() - self->mark.live);
}

/* A fence is there for as long as somebody wants it, whoever made it */
TEST_F(iio, fence_outlives_everything)
{
	int fences[2], both;

	waiting(_metadata, self, fences);
	both = fence_merge(fences[0], fences[1]);
	ASSERT_LE(0, both);
	close_now(&self->in);
	close_now(&self->out);
	close_now(&self->a);
	close_now(&self->b);
	ASSERT_EQ(0, remove_now(&self->sim));
	EXPECT_EQ(-EINTR, fence_result(both, SOON_MS));
	EXPECT_EQ(2, iio_fences_live() - self->mark.live);
	close(both);
	both_end(_metadata, fences, -EINTR);
}

/* R33: in DMABUF mode there is nothing to read, nor is there when all are gone */
TEST_F(iio, read_in_dmabuf_mode)
{
	__u32 words[4];

	ASSERT_EQ(0, fcntl(self->in, F_SETFL, O_NONBLOCK));
	ASSERT_EQ(0, buffer_attach(self->in, self->a));
	ASSERT_EQ(0, buffer_enable(self->sim.adc, true));
	ASSERT_EQ(0, buffer_enqueue(self->in, self->a, 0, LEN));
	EXPECT_EQ(-1, read(self->in, words, sizeof(words)));
	EXPECT_EQ(EBUSY, errno);
	ASSERT_TRUE(poll_in_time(self->a, POLLIN, SOON_MS));
	ASSERT_EQ(0, buffer_detach(self->in, self->a));
	EXPECT_EQ(-1, read(self->in, words, sizeof(words)));
	EXPECT_EQ(EBUSY, errno);
	/* The next time it is enabled it is for read() */
	ASSERT_EQ(0, buffer_enable(self->sim.adc, false));
	ASSERT_EQ(0, buffer_enable(self->sim.adc, true));
	ASSERT_TRUE(poll_in_time(self->in, POLLIN, SOON_MS));
	EXPECT_EQ(sizeof(words), read(self->in, words, sizeof(words)));
}

/**
 * struct racer - one of several threads that queue the same DMABUF
 * @buffer: of the fixture, and @dmabuf
 * @wrong: an answer that nobody can explain, or 0
 * @queued: how often it was the one who did
 */
struct racer {
	int buffer, dmabuf;
	int wrong;
	long queued;
};

static void *race(void *arg)
{
	struct racer *racer = arg;
	int i, ret;

	for (i = 0; i < 500; i++) {
		ret = buffer_enqueue(racer->buffer, racer->dmabuf, 0, LEN);
		if (!ret)
			racer->queued++;
		else if (ret != -EBUSY && ret != -EPERM)
			racer->wrong = ret;
	}
	return NULL;
}

/* Each ENQUEUE that said yes is one transfer, whoever else tries */
TEST_F(iio, race_for_one_dmabuf)
{
	struct racer racers[4];
	pthread_t threads[4];
	long queued = 0;
	int fd, i;

	fd = filled(HEAP_SYSTEM, LEN);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, iio_write(self->sim.dac, "checker", "counter"));
	ASSERT_EQ(0, buffer_attach(self->out, fd));
	ASSERT_EQ(0, buffer_enable(self->sim.dac, true));
	for (i = 0; i < 4; i++) {
		racers[i] = (struct racer){
			.buffer = self->out, .dmabuf = fd,
		};
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, race,
					    &racers[i]));
	}
	for (i = 0; i < 4; i++) {
		pthread_join(threads[i], NULL);
		EXPECT_EQ(0, racers[i].wrong);
		queued += racers[i].queued;
	}
	EXPECT_TRUE(poll_in_time(fd, POLLOUT, SOON_MS));
	EXPECT_LE(1, queued);
	EXPECT_EQ(queued * (long)WORDS, iio_read(self->sim.dac, "checked"));
	close(fd);
}

TEST_HARNESS_MAIN
