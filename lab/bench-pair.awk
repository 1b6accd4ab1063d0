# SPDX-License-Identifier: GPL-2.0-only
# awk -v csv=FILE -f bench-pair.awk pair-stock.1 pair-series.1: how many times the
# throughput of one processor two have that allocate at once, as a table and, for
# programs, at the end of FILE.

BEGIN { FS = "\t" }

/^#/ {
	if ($0 != "# end") {
		print "  " substr($0, 3)
		bad++
	}
	next
}

NF == 2 {
	kernel = FILENAME ~ /pair-stock/ ? "stock" : "series"
	group = what = $1
	sub(/\/[^\/]*$/, "", group)
	sub(/.*\//, "", what)
	if (!(group in seen)) {
		seen[group]
		order[++n] = group
	}
	value[kernel, group, what] = $2
}

# Instructions for a buffer of each, when both work and when one does
function times(kernel, group)
{
	if (!value[kernel, group, "alone"] || !value[kernel, group, "both"]) {
		print "  " group ": not measured in " kernel
		bad++
		return 0
	}
	return 2 * value[kernel, group, "alone"] / value[kernel, group, "both"]
}

END {
	print "\ntwo processors that allocate and free at once: how many times the"
	print "throughput of one, and how often they slept in 1000 buffers"
	printf "%-24s %10s %7s %10s %7s\n", "", "stock", "slept", "series",
		"slept"
	for (i = 1; i <= n; i++) {
		stock = times("stock", order[i])
		series = times("series", order[i])
		printf "  %-22s %10.2f %7d %10.2f %7d\n", substr(order[i], 6),
			stock, value["stock", order[i], "slept"], series,
			value["series", order[i], "slept"]
		printf "%s/throughput,times,%.2f,%.2f,,\n", order[i], stock,
			series >> csv
	}
	exit !n || bad
}
