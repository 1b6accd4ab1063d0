// SPDX-License-Identifier: GPL-2.0-only
/*
 * Things that happen to a buffer at the same time. Each test lets some threads
 * loop for RUN_MS; what they see must be whole at every moment, and everything
 * is gone afterwards. A sanitizer in the kernel sees more than they do.
 */
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>

#include "../kselftest_harness.h"
#include "dmabuf_test.h"

#define RUN_MS		700
#define THREADS_MAX	6

/**
 * struct race - what the threads of one test share
 * @fd: a buffer that lives as long as the test, or -1
 * @timeline: of sw_sync, of one test
 * @at: where it is
 * @stop: set when the time is over
 * @wrong: things seen that must not be
 */
struct race {
	int fd;
	int timeline;
	unsigned int at;
	bool stop;
	unsigned long wrong;
};

struct racer {
	struct race *race;
	void (*turn)(struct racer *racer);
	pthread_t thread;
	/* Which of several with the same function, and its turns so far */
	int number;
	unsigned long turns;
};

static void wrong(struct racer *racer)
{
	__atomic_add_fetch(&racer->race->wrong, 1, __ATOMIC_RELAXED);
}

static void *run(void *arg)
{
	struct racer *racer = arg;

	while (!__atomic_load_n(&racer->race->stop, __ATOMIC_ACQUIRE)) {
		racer->turn(racer);
		racer->turns++;
	}
	return NULL;
}

FIXTURE(race) {
	struct heap_mark mark;
	struct race race;
};

FIXTURE_SETUP(race)
{
	heap_mark_take(&self->mark, HEAP_SYSTEM);
	self->race.fd = heap_buffer(HEAP_SYSTEM, 2 * PAGE);
	ASSERT_LE(0, self->race.fd);
}

FIXTURE_TEARDOWN(race)
{
	close(self->race.fd);
	EXPECT_TRUE(_metadata->exit_code || heap_mark_back(&self->mark));
}

/* Runs one thread per function; every one of them must have had a turn */
static void race_for_a_while(struct __test_metadata *_metadata,
			     struct race *race,
			     void (* const turns[])(struct racer *racer),
			     int count)
{
	struct racer racers[THREADS_MAX] = { 0 };
	int i;

	ASSERT_GE(THREADS_MAX, count);
	for (i = 0; i < count; i++) {
		racers[i].race = race;
		racers[i].turn = turns[i];
		racers[i].number = i;
		ASSERT_EQ(0, pthread_create(&racers[i].thread, NULL, run,
					    &racers[i])) {
			TH_LOG("thread %d", i);
		}
	}
	sleep_ms(RUN_MS);
	__atomic_store_n(&race->stop, true, __ATOMIC_RELEASE);
	for (i = 0; i < count; i++)
		pthread_join(racers[i].thread, NULL);
	for (i = 0; i < count; i++) {
		EXPECT_LT(0, racers[i].turns) {
			TH_LOG("thread %d", i);
		}
	}
	EXPECT_EQ(0, race->wrong);
}

/* Names of one letter each, so that a mixture shows */
static void name_of(char *name, unsigned long turn)
{
	size_t len = turn % 3 ? DMA_BUF_NAME_LEN - 1 : 3;

	memset(name, 'a' + turn % 26, len);
	name[len] = '\0';
}

/* Whether text up to its end of line is one such name, or none */
static bool name_is_whole(const char *text)
{
	size_t len = strcspn(text, "\n");
	size_t i;

	for (i = 1; i < len; i++) {
		if (text[i] != text[0])
			return false;
	}
	return len == 0 || len == 3 || len == DMA_BUF_NAME_LEN - 1;
}

static void rename_buffer(struct racer *racer)
{
	char name[DMA_BUF_NAME_LEN];

	name_of(name, racer->turns * 7 + racer->number);
	if (buf_set_name(racer->race->fd, name))
		wrong(racer);
}

/* A buffer's whole life: made, named, mapped, renamed, unmapped, closed */
static void live_and_die(struct racer *racer)
{
	char name[DMA_BUF_NAME_LEN];
	int fd = heap_buffer(HEAP_SYSTEM, PAGE);
	void *addr;

	if (fd < 0) {
		wrong(racer);
		return;
	}
	name_of(name, racer->turns);
	addr = buf_map(fd, PAGE);
	if (!addr || buf_set_name(fd, name))
		wrong(racer);
	name_of(name, racer->turns + 1);
	if (racer->turns & 1) {
		/* The mapping has the last reference */
		close(fd);
		munmap(addr, PAGE);
		return;
	}
	if (buf_set_name(fd, name))
		wrong(racer);
	munmap(addr, PAGE);
	close(fd);
}

static void read_maps(struct racer *racer)
{
	FILE *file = fopen("/proc/self/maps", "re");
	char line[LINE_LEN], *at;

	while (file && fgets(line, sizeof(line), file)) {
		at = strstr(line, "/dmabuf:");
		if (at && !name_is_whole(at + strlen("/dmabuf:")))
			wrong(racer);
	}
	if (file)
		fclose(file);
}

static void read_links(struct racer *racer)
{
	char link[128];
	int fd;

	for (fd = 3; fd < 16; fd++) {
		if (fd_link(fd, link, sizeof(link)) ||
		    strncmp(link, "/dmabuf:", 8))
			continue;
		if (!name_is_whole(link + 8))
			wrong(racer);
	}
}

static void read_fdinfo(struct racer *racer)
{
	char name[64];

	if (!fdinfo_field(racer->race->fd, "name", name, sizeof(name)) &&
	    !name_is_whole(name))
		wrong(racer);
	if (fdinfo_number(racer->race->fd, "size") != (long)(2 * PAGE))
		wrong(racer);
}

/* R05: paths of buffers are read while these close and change their names */
TEST_F(race, paths_beside_close_and_rename)
{
	static void (* const turns[])(struct racer *racer) = {
		live_and_die, rename_buffer, rename_buffer, read_maps,
		read_links, read_fdinfo,
	};
	void *addr = buf_map(self->race.fd, PAGE);

	ASSERT_NE(NULL, addr);
	race_for_a_while(_metadata, &self->race, turns, ARRAY_SIZE(turns));
	munmap(addr, PAGE);
}

/* A row of bufinfo has all of its columns, from an exporter that exists */
static void read_bufinfo(struct racer *racer)
{
	FILE *file = fopen(BUFINFO, "re");
	char line[LINE_LEN], exporter[64];
	bool total = false;
	unsigned long size, inode;

	while (file && fgets(line, sizeof(line), file)) {
		total |= !strncmp(line, "Total", 5) && strstr(line, "objects");
		if (strspn(line, "0123456789") < 8)
			continue;
		if (sscanf(line, "%lu %*x %*x %*u %63s %lu", &size, exporter,
			   &inode) != 3 ||
		    !size || size % PAGE || !inode || strstr(exporter, "null"))
			wrong(racer);
	}
	if (!total)
		wrong(racer);
	if (file)
		fclose(file);
}

/* R07: a buffer in the list of live ones is whole, from its first moment on */
TEST_F(race, bufinfo_beside_export)
{
	static void (* const turns[])(struct racer *racer) = {
		live_and_die, live_and_die, live_and_die, read_bufinfo,
		read_bufinfo, rename_buffer,
	};

	race_for_a_while(_metadata, &self->race, turns, ARRAY_SIZE(turns));
}

static void fences_come_and_go(struct racer *racer)
{
	int timeline = timeline_open();
	int fence = timeline_fence(timeline, 1);

	if (fence < 0 ||
	    buf_add_fence(racer->race->fd, racer->turns & 1 ?
			  DMA_BUF_SYNC_READ : DMA_BUF_SYNC_WRITE, fence))
		wrong(racer);
	/* Every fourth fails instead of signalling */
	if (racer->turns & 3)
		timeline_advance(timeline, 1);
	close(fence);
	close(timeline);
}

static void collect_fences(struct racer *racer)
{
	int fence = buf_get_fence(racer->race->fd, racer->turns & 1 ?
				  DMA_BUF_SYNC_READ : DMA_BUF_SYNC_RW);
	int status;

	if (fence < 0) {
		wrong(racer);
		return;
	}
	status = fence_status(fence);
	if (status != 0 && status != 1 && status != -ENOENT)
		wrong(racer);
	close(fence);
}

static void poll_briefly(struct racer *racer)
{
	struct pollfd pfd = { racer->race->fd, POLLIN | POLLOUT, 0 };

	if (poll(&pfd, 1, racer->turns & 1) < 0 ||
	    pfd.revents & ~(POLLIN | POLLOUT))
		wrong(racer);
}

/* R21: fences are added on one CPU while they are gone through on another */
TEST_F(race, fences_added_and_collected)
{
	static void (* const turns[])(struct racer *racer) = {
		fences_come_and_go, fences_come_and_go, collect_fences,
		poll_briefly, poll_briefly, read_bufinfo,
	};

	race_for_a_while(_metadata, &self->race, turns, ARRAY_SIZE(turns));
}

static void end_next_fence(struct racer *racer)
{
	struct race *race = racer->race;
	unsigned int at = __atomic_load_n(&race->at, __ATOMIC_RELAXED);
	int fence = timeline_fence(race->timeline, at + 1);

	if (fence < 0)
		wrong(racer);
	close(fence);
}

static void move_on(struct racer *racer)
{
	if (timeline_advance(racer->race->timeline, 1))
		wrong(racer);
	__atomic_add_fetch(&racer->race->at, 1, __ATOMIC_RELAXED);
}

/* The fence whose turn it is loses its last reference */
TEST_F(race, fence_ends_as_it_signals)
{
	static void (* const turns[])(struct racer *racer) = {
		move_on, end_next_fence, end_next_fence, end_next_fence,
	};

	self->race.timeline = timeline_open();
	ASSERT_LE(0, self->race.timeline);
	race_for_a_while(_metadata, &self->race, turns, ARRAY_SIZE(turns));
	close(self->race.timeline);
}

/* Puts another buffer in the place of the one that others are using */
static void replace_buffer(struct racer *racer)
{
	int fd = heap_buffer(HEAP_SYSTEM, 2 * PAGE);

	if (fd < 0 || dup3(fd, racer->race->fd, O_CLOEXEC) < 0)
		wrong(racer);
	close(fd);
}

static void use_buffer(struct racer *racer)
{
	int fd = racer->race->fd;
	void *addr = buf_map(fd, 2 * PAGE);

	if (!addr || probe_write((char *)addr + PAGE) ||
	    lseek(fd, 0, SEEK_END) != (off_t)(2 * PAGE) ||
	    buf_sync(fd, DMA_BUF_SYNC_START | DMA_BUF_SYNC_RW) ||
	    buf_sync(fd, DMA_BUF_SYNC_END | DMA_BUF_SYNC_RW))
		wrong(racer);
	if (addr)
		munmap(addr, 2 * PAGE);
}

static void pass_to_vgem(struct racer *racer)
{
	int vgem = vgem_open();
	__u32 handle;

	if (vgem < 0 || vgem_import(vgem, racer->race->fd, &handle))
		wrong(racer);
	/* With the driver's file the attachment goes as well */
	close(vgem);
}

/* Whoever looked up a descriptor in time has the whole buffer to the end */
TEST_F(race, replaced_under_its_users)
{
	static void (* const turns[])(struct racer *racer) = {
		replace_buffer, use_buffer, pass_to_vgem, collect_fences,
		poll_briefly, rename_buffer,
	};

	race_for_a_while(_metadata, &self->race, turns, ARRAY_SIZE(turns));
}

/* What an event recorded was there when it was: the exporter's name is whole */
static void read_trace(struct racer *racer)
{
	static const char wanted[] = "exp_name=" HEAP_SYSTEM "\n";
	FILE *file = fopen(TRACE_DIR "/trace", "re");
	char line[LINE_LEN], *at;

	if (!file)
		wrong(racer);
	while (file && fgets(line, sizeof(line), file)) {
		at = strstr(line, "exp_name=");
		if (at && strcmp(at, wanted))
			wrong(racer);
	}
	if (file)
		fclose(file);
}

/* R10: events of a buffer are recorded while others drop their references */
TEST_F(race, events_beside_close)
{
	static void (* const turns[])(struct racer *racer) = {
		live_and_die, live_and_die, pass_to_vgem, replace_buffer,
		use_buffer, read_trace,
	};
	char text[LINE_LEN];

	ASSERT_EQ(0, trace_begin(128));
	ASSERT_EQ(0, trace_set("events/dma_buf/enable", "1"));
	race_for_a_while(_metadata, &self->race, turns, ARRAY_SIZE(turns));
	EXPECT_LT(0, read_file(TRACE_DIR "/per_cpu/cpu0/stats", text,
			       sizeof(text)));
	EXPECT_EQ(NULL, strstr(text, "entries: 0\n"));
	EXPECT_EQ(0, trace_set("events/dma_buf/enable", "0"));
	EXPECT_EQ(0, trace_end());
}

/* What a thread wrote into its own buffer is there however many others do so */
static void fill_own(struct racer *racer)
{
	bool cma = racer->number & 1;
	size_t len = (1 + (racer->turns + racer->number) % 5) * 16 * PAGE;
	int fd = heap_buffer(cma ? HEAP_CMA : HEAP_SYSTEM, len);
	void *addr;

	/* The region may be taken for a moment, memory may not */
	if (fd < 0) {
		if (!cma)
			wrong(racer);
		return;
	}
	addr = buf_map(fd, len);
	if (!addr || !all_zero(addr, len)) {
		wrong(racer);
	} else {
		fill_words(addr, len, racer->number * 1000 + racer->turns);
		if (check_words(addr, len, racer->number * 1000 + racer->turns))
			wrong(racer);
		munmap(addr, len);
	}
	close(fd);
}

TEST_F(race, buffers_do_not_overlap)
{
	static void (* const turns[])(struct racer *racer) = {
		fill_own, fill_own, fill_own, fill_own,
	};
	struct heap_mark region;

	heap_mark_take(&region, HEAP_CMA);
	race_for_a_while(_metadata, &self->race, turns, ARRAY_SIZE(turns));
	EXPECT_TRUE(heap_mark_back(&region));
}

TEST_HARNESS_MAIN
