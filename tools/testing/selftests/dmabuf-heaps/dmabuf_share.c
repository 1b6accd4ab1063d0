// SPDX-License-Identifier: GPL-2.0-only
/*
 * A buffer in several processes: passed over a socket, inherited, still on its
 * way, and outliving whoever made it.
 */
#include <fcntl.h>
#include <sys/socket.h>

#include "../kselftest_harness.h"
#include "heap_fixture.h"

#define LEN		(5 * PAGE)

/* Checks what one side wrote, under SYNC, and answers with another seed */
static int check_and_answer(int fd, __u64 seen, __u64 answer)
{
	void *addr = buf_map(fd, LEN);
	size_t wrong;

	if (!addr)
		return 2;
	if (buf_sync(fd, DMA_BUF_SYNC_START | DMA_BUF_SYNC_RW))
		return 3;
	wrong = check_words(addr, LEN, seen);
	fill_words(addr, LEN, answer);
	if (buf_sync(fd, DMA_BUF_SYNC_END | DMA_BUF_SYNC_RW))
		return 4;
	munmap(addr, LEN);
	return wrong ? 1 : 0;
}

/* A buffer filled with this seed */
static int filled_buffer(int heap, __u64 seed)
{
	int fd = heap_alloc(heap, LEN);
	void *addr;

	if (fd < 0)
		return fd;
	addr = buf_map(fd, LEN);
	if (!addr)
		return -errno;
	fill_words(addr, LEN, seed);
	munmap(addr, LEN);
	return fd;
}

TEST_F(heap, over_a_socket)
{
	int ends[2], fd;
	pid_t pid;

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends));
	/* Before the buffer is there, so that only the socket can bring it */
	pid = fork();
	if (!pid) {
		fd = recv_fd(ends[1]);
		_exit(fd < 0 ? 5 : check_and_answer(fd, 1, 2));
	}
	fd = filled_buffer(self->fd, 1);
	ASSERT_LE(0, fd);
	EXPECT_EQ(0, send_fd(ends[0], fd));
	EXPECT_EQ(0, child_status(pid));
	EXPECT_EQ(0, check_and_answer(fd, 2, 3));
	close(fd);
	close(ends[0]);
	close(ends[1]);
}

/* The one who made it is gone before the other looks at it */
TEST_F(heap, maker_exits_first)
{
	int ends[2], fd;
	pid_t pid;

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends));
	pid = fork();
	if (!pid) {
		fd = filled_buffer(self->fd, 7);
		_exit(fd < 0 || buf_set_name(fd, "orphan") ||
		      send_fd(ends[1], fd));
	}
	EXPECT_EQ(0, child_status(pid));
	fd = recv_fd(ends[0]);
	ASSERT_LE(0, fd);
	EXPECT_EQ(0, check_and_answer(fd, 7, 8));
	close(fd);
	close(ends[0]);
	close(ends[1]);
}

/* On its way, a buffer belongs to nobody's table and is still there */
TEST_F(heap, in_flight)
{
	int ends[2], fd = filled_buffer(self->fd, 3);
	unsigned long inode = fd_inode(fd);

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends));
	ASSERT_EQ(0, send_fd(ends[0], fd));
	close(fd);
	EXPECT_TRUE(stats_present(inode));
	fd = recv_fd(ends[1]);
	ASSERT_LE(0, fd);
	EXPECT_EQ(inode, fd_inode(fd));
	EXPECT_EQ(0, check_and_answer(fd, 3, 4));

	/* Never received: it goes with the socket */
	ASSERT_EQ(0, send_fd(ends[0], fd));
	close(fd);
	EXPECT_TRUE(stats_present(inode));
	close(ends[0]);
	close(ends[1]);
	EXPECT_TRUE(heap_mark_back(&self->mark));
}

TEST_F(heap, inherited)
{
	int fd = filled_buffer(self->fd, 11);
	pid_t pid;

	ASSERT_LE(0, fd);
	pid = fork();
	if (!pid)
		_exit(check_and_answer(fd, 11, 12));
	EXPECT_EQ(0, child_status(pid));
	EXPECT_EQ(0, check_and_answer(fd, 12, 13));
	close(fd);
}

/* A child's mapping keeps the buffer when the parent has let go of it */
TEST_F(heap, mapping_of_a_child)
{
	int fd = filled_buffer(self->fd, 21), go[2];
	unsigned long inode = fd_inode(fd);
	void *addr = buf_map(fd, LEN);
	pid_t pid;

	ASSERT_NE(NULL, addr);
	ASSERT_EQ(0, pipe(go));
	pid = fork();
	if (!pid) {
		char byte;

		close(fd);
		close(go[1]);
		if (read(go[0], &byte, 1) != 0)
			_exit(2);
		_exit(check_words(addr, LEN, 21) ? 1 : 0);
	}
	munmap(addr, LEN);
	close(fd);
	EXPECT_TRUE(stats_present(inode));
	close(go[0]);
	close(go[1]);
	EXPECT_EQ(0, child_status(pid));
	EXPECT_TRUE(heap_mark_back(&self->mark));
}

/* The name belongs to the buffer: whoever sets it, everybody sees it */
TEST_F(heap, name_is_shared)
{
	int fd = filled_buffer(self->fd, 0);
	char name[64];
	pid_t pid;

	ASSERT_LE(0, fd);
	pid = fork();
	if (!pid)
		_exit(-buf_set_name(fd, "by-the-child"));
	EXPECT_EQ(0, child_status(pid));
	ASSERT_EQ(0, fdinfo_field(fd, "name", name, sizeof(name)));
	EXPECT_STREQ("by-the-child", name);
	close(fd);
}

/* A ring of frames goes back and forth in one message each */
TEST_F(heap, ring_of_buffers)
{
	enum { COUNT = 8, ROUNDS = 3 };
	int ends[2], fds[COUNT], i, round;
	pid_t pid;

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0,
				ends));
	pid = fork();
	if (!pid) {
		close(ends[0]);
		for (i = 0; i < COUNT * ROUNDS; i++) {
			int ret, fd = recv_fd(ends[1]);

			if (fd < 0)
				_exit(10);
			ret = check_and_answer(fd, i, 100 + i);
			if (ret || send_fd(ends[1], fd))
				_exit(ret ? ret : 11);
			close(fd);
		}
		_exit(0);
	}
	close(ends[1]);
	for (i = 0; i < COUNT; i++)
		fds[i] = filled_buffer(self->fd, i);
	for (round = 0; round < ROUNDS; round++) {
		for (i = 0; i < COUNT; i++) {
			int at = round * COUNT + i, fd;

			ASSERT_EQ(0, send_fd(ends[0], fds[i]));
			fd = recv_fd(ends[0]);
			ASSERT_LE(0, fd) TH_LOG("frame %d", at);
			EXPECT_EQ(fd_inode(fds[i]), fd_inode(fd));
			close(fds[i]);
			fds[i] = fd;
			EXPECT_EQ(0, check_and_answer(fd, 100 + at,
						      at + COUNT));
		}
	}
	EXPECT_EQ(0, child_status(pid));
	for (i = 0; i < COUNT; i++)
		close(fds[i]);
	close(ends[0]);
}

TEST_HARNESS_MAIN
