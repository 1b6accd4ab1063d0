# SPDX-License-Identifier: GPL-2.0-only
# From the names of the files and lcov's records of them: a line for each file
# and each directory, and to `missed` the lines that did not run. Fails if less
# than 95 of 100 lines of a directory ran, or nothing is known of a file. The
# simulated converter is there to test others: it is shown, not judged.

FNR == NR {
	file[++files] = $0
	next
}

/^SF:/ {
	name = substr($0, length("SF:" tree) + 1)
	known[name] = 1
}

/^DA:/ {
	split(substr($0, 4), part, ",")
	lines[name]++
	if (part[2] > 0) {
		lines_run[name]++
	} else {
		miss[name] = miss[name] " " part[1]
	}
}

/^BRDA:/ {
	split(substr($0, 6), part, ",")
	branches[name]++
	if (part[4] != "-" && part[4] > 0)
		branches_run[name]++
}

function of_100(n, all)
{
	return all ? sprintf("%.1f", int(1000 * n / all) / 10) : "-"
}

function line(name, l, lr, b, br)
{
	printf "  %-50s %5d of %5d %6s  %5d of %5d %6s\n", name, lr, l,
		of_100(lr, l), br, b, of_100(br, b)
}

function source(name,   i, n, at, text, number)
{
	n = split(miss[name], at, " ")
	for (i = 1; i <= n; i++)
		wanted[at[i]] = 1
	while ((getline text < name) > 0)
		if (++number in wanted)
			print name ":" number ":" text > missed
	close(name)
	delete wanted
}

END {
	printf "  %-50s %21s  %21s\n", "", "lines", "branches"
	printf "" > missed
	for (i = 1; i <= files; i++) {
		name = file[i]
		if (!known[name]) {
			printf "  %-50s not in the kernel\n", name
			failed = 1
			continue
		}
		directory = name
		sub("/[^/]*$", "", directory)
		if (!(directory in l))
			order[++directories] = directory
		l[directory] += lines[name]
		lr[directory] += lines_run[name]
		b[directory] += branches[name]
		br[directory] += branches_run[name]
		line(name, lines[name], lines_run[name], branches[name],
		     branches_run[name])
		source(name)
	}
	print ""
	for (i = 1; i <= directories; i++) {
		name = order[i]
		line(name, l[name], lr[name], b[name], br[name])
		if (lr[name] < 0.95 * l[name] && name != "drivers/iio/dummy")
			failed = 1
	}
	exit failed
}
