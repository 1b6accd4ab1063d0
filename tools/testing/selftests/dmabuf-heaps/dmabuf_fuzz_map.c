// SPDX-License-Identifier: GPL-2.0-only
/*
 * The part of dmabuf_fuzz that is about mappings. A mapping that begins where
 * its buffer does has the buffer's word first, whatever is done to it.
 */
#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../kselftest.h"
#include "dmabuf_fuzz.h"

/*
 * Where it is or NULL, its bytes, how it may be used, and what it shows: NULL if
 * it does not begin where the buffer does, or that is not known.
 */
static struct {
	char *addr;
	size_t len;
	int prot;
	struct content *content;
} maps[SLOTS];

/* As a child does that has them from its parent. */
int touch_map(unsigned int i)
{
	return maps[i].addr ? probe_read(maps[i].addr) : 0;
}

void drop_map(unsigned int i)
{
	if (!maps[i].addr)
		return;
	munmap(maps[i].addr, maps[i].len);
	maps[i].addr = NULL;
	put_content(maps[i].content);
	maps[i].content = NULL;
}

static int some_map(struct fuzz *fuzz)
{
	unsigned int i = slot(fuzz), n;

	for (n = 0; n < SLOTS; n++, i = (i + 1) % SLOTS)
		if (maps[i].addr)
			return i;
	return -1;
}

static uint64_t word_at(const char *addr)
{
	return __atomic_load_n((const uint64_t *)addr, __ATOMIC_SEQ_CST);
}

/* The word may be read, and is that of the buffer. */
static void look(struct fuzz *fuzz, unsigned int i)
{
	if (!maps[i].content || !(maps[i].prot & PROT_READ))
		return;
	if (probe_read(maps[i].addr))
		fuzz->wrong = "a mapping cannot be read";
	else if (word_at(maps[i].addr) != maps[i].content->word)
		fuzz->wrong = "a buffer has not got what was written to it";
}

int op_mmap(struct fuzz *fuzz)
{
	static const int prots[] = { PROT_READ | PROT_WRITE, PROT_READ,
				     PROT_NONE, PROT_READ | PROT_WRITE };
	unsigned int to = slot(fuzz);
	int from = some_buf(fuzz);
	off_t offset = fuzz_pick(fuzz, 3) ? 0 : fuzz_pick(fuzz, MAX_PAGES) * PAGE;
	size_t len = (1 + fuzz_pick(fuzz, MAX_PAGES)) * PAGE;
	int prot = prots[fuzz_pick(fuzz, ARRAY_SIZE(prots))];
	int flags = fuzz_rarely(fuzz) ? MAP_PRIVATE : MAP_SHARED;
	struct content *content;
	char *map;

	if (from < 0)
		return 0;
	content = bufs[from].content;
	if (content && offset + len > content->size && !fuzz_rarely(fuzz)) {
		offset = 0;
		len = content->size;
	}
	if (fuzz_rarely(fuzz))
		offset = fuzz_number(fuzz) & ~(PAGE - 1);
	if (fuzz_rarely(fuzz))
		flags |= MAP_POPULATE;
	map = mmap(NULL, len, prot, flags, bufs[from].fd, offset);
	if (map == MAP_FAILED)
		return -errno;
	if (content && (uint64_t)offset + len > content->size)
		fuzz->wrong = "more was mapped than the buffer has";
	drop_map(to);
	maps[to].addr = map;
	maps[to].len = len;
	maps[to].prot = prot;
	if (!offset)
		maps[to].content = get_content(content);
	look(fuzz, to);
	return 0;
}

int op_look(struct fuzz *fuzz)
{
	int i = some_map(fuzz);

	if (i >= 0)
		look(fuzz, i);
	return 0;
}

int op_write(struct fuzz *fuzz)
{
	int i = some_map(fuzz);

	if (i < 0 || !maps[i].content || !(maps[i].prot & PROT_WRITE))
		return 0;
	maps[i].content->word = fuzz_number(fuzz);
	__atomic_store_n((uint64_t *)maps[i].addr, maps[i].content->word,
			 __ATOMIC_SEQ_CST);
	look(fuzz, i);
	return 0;
}

/* From the end, so that the rest begins where it did. */
int op_munmap(struct fuzz *fuzz)
{
	int i = some_map(fuzz);
	size_t keep;

	if (i < 0)
		return 0;
	keep = fuzz_pick(fuzz, maps[i].len / PAGE) * PAGE;
	if (!keep) {
		drop_map(i);
		return 0;
	}
	if (munmap(maps[i].addr + keep, maps[i].len - keep))
		return -errno;
	maps[i].len = keep;
	return 0;
}

int op_mremap(struct fuzz *fuzz)
{
	size_t len = (1 + fuzz_pick(fuzz, MAX_PAGES)) * PAGE;
	int i = some_map(fuzz);
	char *map;

	if (i < 0)
		return 0;
	map = mremap(maps[i].addr, maps[i].len, len, MREMAP_MAYMOVE);
	if (map == MAP_FAILED)
		return -errno;
	if (len > maps[i].len)
		fuzz->wrong = "a mapping has grown";
	maps[i].addr = map;
	maps[i].len = len;
	look(fuzz, i);
	return 0;
}

int op_mprotect(struct fuzz *fuzz)
{
	static const int prots[] = { PROT_NONE, PROT_READ,
				     PROT_READ | PROT_WRITE };
	int prot = prots[fuzz_pick(fuzz, ARRAY_SIZE(prots))];
	int i = some_map(fuzz);

	if (i < 0)
		return 0;
	if (mprotect(maps[i].addr, maps[i].len, prot))
		return -errno;
	maps[i].prot = prot;
	look(fuzz, i);
	return 0;
}

int op_madvise(struct fuzz *fuzz)
{
	static const int advice[] = { MADV_DONTNEED, MADV_WILLNEED, MADV_FREE,
				      MADV_DODUMP, MADV_DOFORK, MADV_DONTFORK,
				      MADV_REMOVE, MADV_HUGEPAGE, MADV_COLD };
	int i = some_map(fuzz);

	if (i < 0)
		return 0;
	if (madvise(maps[i].addr, maps[i].len,
		    advice[fuzz_pick(fuzz, ARRAY_SIZE(advice))]))
		return -errno;
	look(fuzz, i);
	return 0;
}
