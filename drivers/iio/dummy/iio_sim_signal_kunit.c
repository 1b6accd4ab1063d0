// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tests of the simulated converter's signals, through its ports: the tests do
 * what the DMA controller does.
 */
#include <kunit/test.h>
#include <linux/bits.h>

#include "iio_sim.h"

#define TEST_WORDS	64

static int signal_test_init(struct kunit *test)
{
	struct iio_sim *sim;

	sim = kunit_kzalloc(test, sizeof(*sim), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, sim);
	KUNIT_ASSERT_EQ(test, 0, iio_sim_signal_init(sim));
	test->priv = sim;

	return 0;
}

static void signal_test_exit(struct kunit *test)
{
	if (test->priv)
		iio_sim_signal_exit(test->priv);
}

static size_t test_xfer(struct iio_sim *sim, enum iio_sim_dir dir, void *buf,
			size_t words)
{
	struct iio_sim_port *port = &sim->side[dir].port;

	return port->ops->xfer(port, buf, words * IIO_SIM_WORD_BYTES) /
	       IIO_SIM_WORD_BYTES;
}

static void test_enable(struct iio_sim *sim, enum iio_sim_dir dir,
			unsigned long channels)
{
	iio_sim_signal_start(sim, dir, &channels);
}

/* Channels 1 and 3: what is captured, word by word */
static u32 test_counter(unsigned int word)
{
	return (word % 2 ? 3 : 1) << 28 | word / 2;
}

static void counter_counts_scans(struct kunit *test)
{
	struct iio_sim *sim = test->priv;
	__le32 buf[TEST_WORDS];
	unsigned int i;

	/* In two pieces, with the seam within a scan */
	test_enable(sim, IIO_SIM_RX, BIT(1) | BIT(3));
	KUNIT_EXPECT_EQ(test, 7, test_xfer(sim, IIO_SIM_RX, buf, 7));
	KUNIT_EXPECT_EQ(test, TEST_WORDS - 7,
			test_xfer(sim, IIO_SIM_RX, buf + 7, TEST_WORDS - 7));
	for (i = 0; i < TEST_WORDS; i++)
		KUNIT_EXPECT_EQ(test, test_counter(i), le32_to_cpu(buf[i]));

	/* And from the beginning when it is enabled again */
	iio_sim_signal_stop(sim, IIO_SIM_RX);
	test_enable(sim, IIO_SIM_RX, BIT(0));
	test_xfer(sim, IIO_SIM_RX, buf, 1);
	KUNIT_EXPECT_EQ(test, 0, le32_to_cpu(buf[0]));
}

static void sine_has_full_scale(struct kunit *test)
{
	struct iio_sim *sim = test->priv;
	size_t words = 2 * IIO_SIM_SINE_SAMPLES;
	s32 first, ahead, max = 0, min = 0;
	unsigned int i;
	__le32 *buf;

	buf = kunit_kcalloc(test, words, sizeof(*buf), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, buf);
	iio_sim_set_generator(sim, IIO_SIM_GEN_SINE);
	test_enable(sim, IIO_SIM_RX, BIT(0) | BIT(1));
	test_xfer(sim, IIO_SIM_RX, buf, words);
	for (i = 0; i < IIO_SIM_SINE_SAMPLES; i++) {
		first = le32_to_cpu(buf[2 * i]);
		max = max(max, first);
		min = min(min, first);
	}
	KUNIT_EXPECT_EQ(test, S32_MAX, max);
	KUNIT_EXPECT_EQ(test, -S32_MAX, min);

	/* Zero, where the next channel is at its top; and the same again */
	first = le32_to_cpu(buf[0]);
	ahead = le32_to_cpu(buf[1]);
	KUNIT_EXPECT_EQ(test, 0, first);
	KUNIT_EXPECT_EQ(test, S32_MAX, ahead);
	test_xfer(sim, IIO_SIM_RX, buf, 1);
	KUNIT_EXPECT_EQ(test, 0, le32_to_cpu(buf[0]));
}

static void checker_counts_gaps(struct kunit *test)
{
	struct iio_sim *sim = test->priv;
	__le32 buf[TEST_WORDS];
	unsigned int i;

	for (i = 0; i < TEST_WORDS; i++)
		buf[i] = cpu_to_le32(test_counter(i + 1000));

	test_enable(sim, IIO_SIM_TX, BIT(1) | BIT(3));
	test_xfer(sim, IIO_SIM_TX, buf, TEST_WORDS);
	KUNIT_EXPECT_EQ(test, TEST_WORDS, atomic64_read(&sim->checked));
	KUNIT_EXPECT_EQ(test, 0, atomic64_read(&sim->mismatches));

	/* The same block once more is a gap, and one only */
	test_xfer(sim, IIO_SIM_TX, buf, TEST_WORDS);
	KUNIT_EXPECT_EQ(test, 1, atomic64_read(&sim->mismatches));

	/* A wrong bit, and back to what was right */
	buf[8] ^= cpu_to_le32(4);
	iio_sim_signal_stop(sim, IIO_SIM_TX);
	test_enable(sim, IIO_SIM_TX, BIT(1) | BIT(3));
	KUNIT_EXPECT_EQ(test, 0, atomic64_read(&sim->checked));
	test_xfer(sim, IIO_SIM_TX, buf, TEST_WORDS);
	KUNIT_EXPECT_GE(test, atomic64_read(&sim->mismatches), 1);

	/* Channels swapped: every word is wrong, wherever it starts */
	iio_sim_signal_stop(sim, IIO_SIM_TX);
	test_enable(sim, IIO_SIM_TX, BIT(1) | BIT(3));
	test_xfer(sim, IIO_SIM_TX, buf + 9, 10);
	KUNIT_EXPECT_EQ(test, 10, atomic64_read(&sim->mismatches));
}

static void loopback_passes_words(struct kunit *test)
{
	struct iio_sim *sim = test->priv;
	struct iio_sim_port *rx = &sim->side[IIO_SIM_RX].port;
	struct iio_sim_port *tx = &sim->side[IIO_SIM_TX].port;
	__le32 in[TEST_WORDS], out[TEST_WORDS];
	unsigned int i, words = 0, moved;

	for (i = 0; i < TEST_WORDS; i++)
		out[i] = cpu_to_le32(0x5a5a0000 + i);
	iio_sim_set_generator(sim, IIO_SIM_GEN_LOOPBACK);
	iio_sim_set_checker(sim, IIO_SIM_CHECK_NONE);

	/* Nobody captures: dropped */
	test_enable(sim, IIO_SIM_TX, BIT(0));
	KUNIT_EXPECT_EQ(test, TEST_WORDS,
			test_xfer(sim, IIO_SIM_TX, out, TEST_WORDS));
	test_enable(sim, IIO_SIM_RX, BIT(2));
	KUNIT_EXPECT_FALSE(test, rx->ops->ready(rx));
	KUNIT_EXPECT_EQ(test, 0, test_xfer(sim, IIO_SIM_RX, in, TEST_WORDS));

	/* Captured as they were played */
	test_xfer(sim, IIO_SIM_TX, out, TEST_WORDS);
	KUNIT_EXPECT_TRUE(test, rx->ops->ready(rx));
	KUNIT_EXPECT_EQ(test, TEST_WORDS,
			test_xfer(sim, IIO_SIM_RX, in, TEST_WORDS));
	KUNIT_EXPECT_MEMEQ(test, in, out, sizeof(out));

	/* Playback has to wait when nobody reads what is captured */
	do {
		moved = test_xfer(sim, IIO_SIM_TX, out, TEST_WORDS);
		words += moved;
	} while (moved);
	KUNIT_EXPECT_GT(test, words, 0);
	KUNIT_EXPECT_FALSE(test, tx->ops->ready(tx));
	iio_sim_signal_stop(sim, IIO_SIM_RX);
	KUNIT_EXPECT_TRUE(test, tx->ops->ready(tx));
}

static void ports_follow_settings(struct kunit *test)
{
	struct iio_sim *sim = test->priv;
	struct iio_sim_port *rx = &sim->side[IIO_SIM_RX].port;
	struct iio_sim_port *tx = &sim->side[IIO_SIM_TX].port;

	KUNIT_EXPECT_FALSE(test, rx->null);
	iio_sim_set_generator(sim, IIO_SIM_GEN_NONE);
	KUNIT_EXPECT_TRUE(test, rx->null);

	KUNIT_EXPECT_FALSE(test, tx->null);
	iio_sim_set_checker(sim, IIO_SIM_CHECK_NONE);
	KUNIT_EXPECT_TRUE(test, tx->null);
	iio_sim_set_generator(sim, IIO_SIM_GEN_LOOPBACK);
	KUNIT_EXPECT_FALSE(test, tx->null);

	iio_sim_set_frequency(sim, IIO_SIM_RX, 1000);
	test_enable(sim, IIO_SIM_RX, BIT(0) | BIT(1) | BIT(2));
	KUNIT_EXPECT_EQ(test, 12000, rx->byte_rate);
	iio_sim_set_frequency(sim, IIO_SIM_RX, 2000);
	KUNIT_EXPECT_EQ(test, 24000, rx->byte_rate);
	iio_sim_set_full_speed(sim, IIO_SIM_RX, true);
	KUNIT_EXPECT_EQ(test, 0, rx->byte_rate);
}

static struct kunit_case signal_test_cases[] = {
	KUNIT_CASE(counter_counts_scans),
	KUNIT_CASE(sine_has_full_scale),
	KUNIT_CASE(checker_counts_gaps),
	KUNIT_CASE(loopback_passes_words),
	KUNIT_CASE(ports_follow_settings),
	{}
};

static struct kunit_suite signal_test_suite = {
	.name = "iio_sim_signal",
	.init = signal_test_init,
	.exit = signal_test_exit,
	.test_cases = signal_test_cases,
};

kunit_test_suite(signal_test_suite);
