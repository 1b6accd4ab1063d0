# SPDX-License-Identifier: GPL-2.0-only
# awk -v csv=FILE -v converter=N -f bench.awk stock.1 series.1 ...: what the guests
# measured, as a table and, for programs, at the end of FILE. N is what the simulated
# converter has in a transfer. A figure is the mean of the rounds; spread
# is how far apart they are, of the kernel where that is more, in percent.

BEGIN { FS = "\t" }

FNR == 1 {
	kernel = FILENAME
	sub(/.*\//, "", kernel)
	sub(/\..*/, "", kernel)
	boots[kernel]++
}

$0 == "# end" { ends[kernel]++; next }
/^#/ { print "  " kernel ": " substr($0, 3); bad++; next }

NF == 2 {
	if (!($1 in seen)) {
		seen[$1]
		order[++n] = $1
	}
	i = $1 SUBSEP kernel
	sum[i] += $2
	if (!times[i]++ || $2 < least[i])
		least[i] = $2
	if ($2 > most[i])
		most[i] = $2
}

# In percent. A few instructions are the clock's own
function spread(name, kernel,    i)
{
	i = name SUBSEP kernel
	if (most[i] - least[i] < 20)
		return 0
	return 100 * (most[i] - least[i]) / (sum[i] / times[i])
}

function mean(name, kernel,    i)
{
	i = name SUBSEP kernel
	return times[i] ? sum[i] / times[i] : ""
}

function show(name,    stock, series, ratio, s, t, parts, group, short)
{
	stock = mean(name, "stock")
	series = mean(name, "series")
	if (times[name, "stock"] != boots["stock"] ||
	    times[name, "series"] != boots["series"]) {
		print "  " name ": not measured in every boot"
		bad++
		return
	}
	s = spread(name, "stock")
	t = spread(name, "series")
	if (t > s)
		s = t
	if (s > worst) {
		worst = s
		worst_name = name
	}
	# Too little to be compared, or the stock kernel has no such thing
	ratio = stock < 20 ? "" : sprintf("%.2f", series / stock)
	if (name ~ /-background$/)
		ratio = ""
	else if (ratio == "" && series >= 100)
		ratio = "more"
	over = (ratio == "more" || ratio + 0 > 1)
	above += over
	group = name
	sub(/\/[^\/]*$/, "", group)
	short = substr(name, length(group) + 2)
	if (group != last)
		printf "%s%-24s %10s %10s %7s %9s\n", last == "" ? "" : "\n",
			group, "stock", "series", "ratio", "spread"
	last = group
	printf "  %-22s %10d %10d %7s %7.1f %%%s\n", short, stock, series,
		ratio == "" ? "-" : ratio, s, over ? "  more" : ""
	printf "%s,instructions,%.0f,%.0f,%s,%.2f\n", name, stock, series,
		ratio == "more" ? "" : ratio, s >> csv
}

function by_size(size, way, how,    dmabuf, copied)
{
	dmabuf = mean("iio/stream/" size "/" way, "series")
	copied = mean("iio/stream/" size "/read", "series")
	if (!dmabuf || !copied)
		return
	printf "capture of %s by DMABUF, %s: %.2f of read()", size, how,
		dmabuf / copied
	if (converter)
		printf ", %.2f without the converter's %d",
			(dmabuf - converter) / (copied - converter), converter
	print ""
}

END {
	print "instructions of the guest, for one call or block"
	print ""
	for (i = 1; i <= n; i++)
		show(order[i])
	print ""
	by_size("64K", "dmabuf", "SYNC waits")
	by_size("64K", "dmabuf-poll", "poll() before SYNC")
	by_size("1M", "dmabuf", "SYNC waits")
	by_size("1M", "dmabuf-poll", "poll() before SYNC")
	printf "%d figures, %d of them more than stock's\n", n, above
	if (worst)
		printf "rounds differ most, by %.1f %%, in %s\n", worst, worst_name
	for (kernel in boots)
		if (ends[kernel] != boots[kernel])
			bad++
	exit !n || bad || boots["stock"] != boots["series"]
}
