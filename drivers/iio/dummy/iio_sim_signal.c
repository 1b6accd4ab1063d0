// SPDX-License-Identifier: GPL-2.0-only
/*
 * The signals of the simulated converter: what is captured, what becomes of
 * what is played back, and how fast.
 *
 * A scan has one little-endian 32-bit word for each enabled channel. The DMA
 * controller moves words, and may stop and go on within a scan.
 *
 * Loopback: played back words go through a fifo to capture. While capture is
 * enabled, playback waits for room in the fifo and capture for data, so that
 * nothing is lost; while it is not, what is played back is dropped.
 */
#include <linux/bitops.h>
#include <linux/compiler.h>
#include <linux/fixp-arith.h>
#include <linux/kfifo.h>
#include <linux/sizes.h>
#include <linux/wait.h>

#include "iio_sim.h"

/* The counter: number of the channel in the top four bits, scan below */
#define IIO_SIM_COUNTER_BITS	28

#define IIO_SIM_LOOP_WORDS	SZ_16K

static struct iio_sim *iio_sim_of_port(struct iio_sim_port *port,
				       enum iio_sim_dir dir)
{
	struct iio_sim_side *side = container_of(port, struct iio_sim_side,
						 port);

	return container_of(side - dir, struct iio_sim, side[0]);
}

static u32 iio_sim_counter(unsigned int chan, u32 scan)
{
	return chan << IIO_SIM_COUNTER_BITS |
	       (scan & GENMASK(IIO_SIM_COUNTER_BITS - 1, 0));
}

static s32 iio_sim_sine(struct iio_sim *sim, unsigned int chan, u32 scan)
{
	u32 phase = chan * (IIO_SIM_SINE_SAMPLES / 4);

	return sim->sine[(scan + phase) % IIO_SIM_SINE_SAMPLES];
}

static s32 iio_sim_sample(struct iio_sim *sim, enum iio_sim_generator generator,
			  unsigned int chan, u32 scan)
{
	switch (generator) {
	case IIO_SIM_GEN_COUNTER:
		return iio_sim_counter(chan, scan);
	case IIO_SIM_GEN_SINE:
		return iio_sim_sine(sim, chan, scan);
	default:
		return 0;
	}
}

static void iio_sim_stream_step(struct iio_sim_stream *stream)
{
	if (++stream->pos == stream->nchan) {
		stream->pos = 0;
		stream->scan++;
	}
}

static bool iio_sim_looped(struct iio_sim *sim)
{
	return READ_ONCE(sim->generator) == IIO_SIM_GEN_LOOPBACK;
}

static size_t iio_sim_rx_xfer(struct iio_sim_port *port, void *buf, size_t len)
{
	struct iio_sim *sim = iio_sim_of_port(port, IIO_SIM_RX);
	struct iio_sim_stream *stream = &sim->side[IIO_SIM_RX].stream;
	enum iio_sim_generator generator = READ_ONCE(sim->generator);
	unsigned int i, words = len / IIO_SIM_WORD_BYTES;
	__le32 *word = buf;
	s32 sample;

	if (generator == IIO_SIM_GEN_LOOPBACK) {
		words = kfifo_out(&sim->loop, word, words);
		wake_up(&sim->side[IIO_SIM_TX].port.wait);
		return words * IIO_SIM_WORD_BYTES;
	}

	for (i = 0; i < words; i++) {
		sample = iio_sim_sample(sim, generator,
					stream->chan[stream->pos],
					stream->scan);
		word[i] = cpu_to_le32(sample);
		iio_sim_stream_step(stream);
	}

	return len;
}

static bool iio_sim_rx_ready(struct iio_sim_port *port)
{
	struct iio_sim *sim = iio_sim_of_port(port, IIO_SIM_RX);

	/* Who puts something in wakes the one who asks, and he looks again. */
	return !iio_sim_looped(sim) || !data_race(kfifo_is_empty(&sim->loop));
}

static const struct iio_sim_port_ops iio_sim_rx_ops = {
	.xfer = iio_sim_rx_xfer,
	.ready = iio_sim_rx_ready,
};

/* Somebody takes what is played back, and playback has to wait for them */
static bool iio_sim_tx_heard(struct iio_sim *sim)
{
	return iio_sim_looped(sim) &&
	       READ_ONCE(sim->side[IIO_SIM_RX].stream.running);
}

/*
 * A gap counts once, not for all that comes after it: the counter is expected
 * to go on from what was seen.
 */
static void iio_sim_check(struct iio_sim *sim, const __le32 *word,
			  unsigned int words)
{
	struct iio_sim_stream *stream = &sim->side[IIO_SIM_TX].stream;
	unsigned int i, mismatches = 0;
	u32 seen;

	for (i = 0; i < words; i++) {
		seen = le32_to_cpu(word[i]);
		if (!sim->seeded) {
			stream->scan = seen;
			sim->seeded = true;
		}
		if (seen != iio_sim_counter(stream->chan[stream->pos],
					    stream->scan)) {
			mismatches++;
			stream->scan = seen;
		}
		iio_sim_stream_step(stream);
	}

	atomic64_add(words, &sim->checked);
	atomic64_add(mismatches, &sim->mismatches);
}

static size_t iio_sim_tx_xfer(struct iio_sim_port *port, void *buf, size_t len)
{
	struct iio_sim *sim = iio_sim_of_port(port, IIO_SIM_TX);
	unsigned int words = len / IIO_SIM_WORD_BYTES;
	const __le32 *word = buf;

	if (iio_sim_tx_heard(sim)) {
		words = kfifo_in(&sim->loop, word, words);
		wake_up(&sim->side[IIO_SIM_RX].port.wait);
	}
	if (READ_ONCE(sim->checker) == IIO_SIM_CHECK_COUNTER)
		iio_sim_check(sim, word, words);

	return words * IIO_SIM_WORD_BYTES;
}

static bool iio_sim_tx_ready(struct iio_sim_port *port)
{
	struct iio_sim *sim = iio_sim_of_port(port, IIO_SIM_TX);

	/* And so does who takes something out. */
	return !iio_sim_tx_heard(sim) || !data_race(kfifo_is_full(&sim->loop));
}

static const struct iio_sim_port_ops iio_sim_tx_ops = {
	.xfer = iio_sim_tx_xfer,
	.ready = iio_sim_tx_ready,
};

static void iio_sim_update_rate(struct iio_sim *sim, enum iio_sim_dir dir)
{
	struct iio_sim_side *side = &sim->side[dir];
	u64 rate = 0;

	lockdep_assert_held(&sim->lock);

	if (!side->full_speed)
		rate = (u64)side->sampling_frequency * side->stream.nchan *
		       IIO_SIM_WORD_BYTES;

	WRITE_ONCE(side->port.byte_rate, rate);
}

/* Tell the DMA controller what it need not look at, and to look again */
static void iio_sim_update_ports(struct iio_sim *sim)
{
	struct iio_sim_port *rx = &sim->side[IIO_SIM_RX].port;
	struct iio_sim_port *tx = &sim->side[IIO_SIM_TX].port;

	lockdep_assert_held(&sim->lock);

	WRITE_ONCE(rx->null, sim->generator == IIO_SIM_GEN_NONE);
	WRITE_ONCE(tx->null, sim->checker == IIO_SIM_CHECK_NONE &&
		   sim->generator != IIO_SIM_GEN_LOOPBACK);
	wake_up(&rx->wait);
	wake_up(&tx->wait);
}

/**
 * iio_sim_set_generator() - Select where captured data comes from
 * @sim: the converter
 * @generator: where from
 *
 * Context: may sleep; capture may be running.
 */
void iio_sim_set_generator(struct iio_sim *sim,
			   enum iio_sim_generator generator)
{
	mutex_lock(&sim->lock);
	WRITE_ONCE(sim->generator, generator);
	iio_sim_update_ports(sim);
	mutex_unlock(&sim->lock);
}

/**
 * iio_sim_set_checker() - Select what played back data is compared with
 * @sim: the converter
 * @checker: what with
 *
 * Context: may sleep; playback may be running.
 */
void iio_sim_set_checker(struct iio_sim *sim, enum iio_sim_checker checker)
{
	mutex_lock(&sim->lock);
	WRITE_ONCE(sim->checker, checker);
	iio_sim_update_ports(sim);
	mutex_unlock(&sim->lock);
}

/**
 * iio_sim_set_frequency() - Set how many samples are made or taken
 * @sim: the converter
 * @dir: the direction
 * @frequency: scans per second
 *
 * Context: may sleep; the stream may be running.
 */
void iio_sim_set_frequency(struct iio_sim *sim, enum iio_sim_dir dir,
			   u32 frequency)
{
	mutex_lock(&sim->lock);
	WRITE_ONCE(sim->side[dir].sampling_frequency, frequency);
	iio_sim_update_rate(sim, dir);
	mutex_unlock(&sim->lock);
}

/**
 * iio_sim_set_full_speed() - Make or take samples as fast as possible
 * @sim: the converter
 * @dir: the direction
 * @full_speed: do so, or else go by the frequency
 *
 * Context: may sleep; the stream may be running.
 */
void iio_sim_set_full_speed(struct iio_sim *sim, enum iio_sim_dir dir,
			    bool full_speed)
{
	mutex_lock(&sim->lock);
	WRITE_ONCE(sim->side[dir].full_speed, full_speed);
	iio_sim_update_rate(sim, dir);
	mutex_unlock(&sim->lock);
}

/**
 * iio_sim_signal_start() - Start a stream from its beginning
 * @sim: the converter
 * @dir: the direction
 * @scan_mask: enabled channels, at least one
 *
 * Context: may sleep; no transfer of this direction is running.
 */
void iio_sim_signal_start(struct iio_sim *sim, enum iio_sim_dir dir,
			  const unsigned long *scan_mask)
{
	struct iio_sim_stream *stream = &sim->side[dir].stream;
	unsigned int chan;

	mutex_lock(&sim->lock);
	stream->nchan = 0;
	for_each_set_bit(chan, scan_mask, IIO_SIM_NUM_CHANNELS)
		stream->chan[stream->nchan++] = chan;
	stream->pos = 0;
	stream->scan = 0;
	if (dir == IIO_SIM_RX) {
		kfifo_reset_out(&sim->loop);
	} else {
		sim->seeded = false;
		atomic64_set(&sim->checked, 0);
		atomic64_set(&sim->mismatches, 0);
	}
	WRITE_ONCE(stream->running, true);
	iio_sim_update_rate(sim, dir);
	mutex_unlock(&sim->lock);
}

/**
 * iio_sim_signal_stop() - A stream was stopped
 * @sim: the converter
 * @dir: the direction
 *
 * Context: may sleep; no transfer of this direction is running.
 */
void iio_sim_signal_stop(struct iio_sim *sim, enum iio_sim_dir dir)
{
	mutex_lock(&sim->lock);
	WRITE_ONCE(sim->side[dir].stream.running, false);
	iio_sim_update_ports(sim);
	mutex_unlock(&sim->lock);
}

/**
 * iio_sim_signal_peek() - The sample that would be captured now
 * @sim: the converter
 * @chan: number of the channel
 *
 * Context: may sleep; capture is not running.
 * Return: the sample; 0 if the generator does not make any.
 */
s32 iio_sim_signal_peek(struct iio_sim *sim, unsigned int chan)
{
	return iio_sim_sample(sim, READ_ONCE(sim->generator), chan,
			      sim->side[IIO_SIM_RX].stream.scan);
}

/**
 * iio_sim_signal_init() - Prepare the signals and connect the ports
 * @sim: the converter, zeroed
 *
 * Context: may sleep.
 * Return: 0, or -ENOMEM.
 */
int iio_sim_signal_init(struct iio_sim *sim)
{
	static const struct iio_sim_port_ops * const ops[] = {
		[IIO_SIM_RX] = &iio_sim_rx_ops,
		[IIO_SIM_TX] = &iio_sim_tx_ops,
	};
	unsigned int i;
	int ret;

	ret = kfifo_alloc(&sim->loop, IIO_SIM_LOOP_WORDS, GFP_KERNEL);
	if (ret)
		return ret;

	mutex_init(&sim->lock);
	for (i = 0; i < IIO_SIM_SINE_SAMPLES; i++)
		sim->sine[i] = fixp_sin32(i);

	for (i = 0; i < IIO_SIM_NUM_DIRS; i++) {
		sim->side[i].port.ops = ops[i];
		init_waitqueue_head(&sim->side[i].port.wait);
		sim->dmac.chan[i].port = &sim->side[i].port;
	}

	return 0;
}

/**
 * iio_sim_signal_exit() - Undo iio_sim_signal_init()
 * @sim: the converter
 *
 * Context: may sleep; the DMA controller does not call the ports any more.
 */
void iio_sim_signal_exit(struct iio_sim *sim)
{
	kfifo_free(&sim->loop);
	mutex_destroy(&sim->lock);
}
