# SPDX-License-Identifier: GPL-2.0-only
# awk -v csv=FILE -f bench-native.awk stock.1 series.1 ...: nanoseconds on this
# machine, as a table and, for programs, at the end of FILE. A figure is the least
# of all boots: what else the machine does only adds to it.

function kernel_of(file)
{
	return file ~ /native-stock/ ? "stock" : "series"
}

# A boot that printed nothing is one, too
BEGIN {
	FS = "\t"
	for (i = 1; i < ARGC; i++)
		boots[kernel_of(ARGV[i])]++
}

FNR == 1 { kernel = kernel_of(FILENAME) }

/^# end/ { ends[kernel]++ }

NF == 2 && /^native\// {
	if (!($1 in seen)) {
		seen[$1]
		order[++n] = $1
	}
	i = $1 SUBSEP kernel
	if (!times[i]++ || $2 + 0 < least[i])
		least[i] = $2 + 0
}

END {
	print "\nnanoseconds of this machine's processor, on User-mode Linux; no two"
	print "runs are the same"
	printf "%-24s %10s %10s %7s\n", "", "stock", "series", "ratio"
	for (i = 1; i <= n; i++) {
		name = order[i]
		stock = least[name, "stock"]
		series = least[name, "series"]
		ratio = stock ? sprintf("%.2f", series / stock) : ""
		printf "  %-22s %10d %10d %7s\n", substr(name, 8), stock, series,
			ratio
		printf "%s,nanoseconds,%d,%d,%s,\n", name, stock, series,
			ratio >> csv
	}
	for (kernel in boots)
		if (ends[kernel] != boots[kernel]) {
			print "  " kernel ": not all of it was measured"
			bad++
		}
	exit !n || bad || boots["stock"] != boots["series"]
}
