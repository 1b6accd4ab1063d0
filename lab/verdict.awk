# SPDX-License-Identifier: GPL-2.0-only
# Judge one boot of the guest.
#
#   awk -v guest=NAME -v ended=TEXT -v expected=NAMES -v own=FILE \
#	-f verdict.awk VERDICT CONSOLE
#
# VERDICT is what init sent (see guest/init.c), CONSOLE the kernel's messages,
# ENDED is empty or says how the host had to end the guest, EXPECTED names the
# suites and programs that must have run, FILE has the functions of the series, which
# data races are judged by (that of others are counted). Prints a line for each
# suite or program, what failed in full, and last
# `@counts PASSED FAILED SKIPPED` for the caller. Counted are the innermost
# results of nested KTAP; a parent counts only when it failed and none of its
# children did.

function indent(line)
{
	match(line, /^ */)
	return RLENGTH
}

function keep(line)
{
	lines[++nlines] = line
}

# Something went wrong that no result line tells of
function fault(what)
{
	failed++
	bad[++nbad] = "not ok " name ": " what
}

function forget(    i)
{
	passed = failed = skipped = nbad = nskip = nlines = depth = 0
	split("", plan); split("", seen); split("", inner); split("", start)
	start[0] = 1
	todo = ""
}

# A result at depth d: everything deeper belonged to it
function result(line, d,    ok, i, text, is_leaf, why)
{
	ok = (line !~ /^ *not ok/)
	is_leaf = 1
	for (i = d + 1; i <= deepest; i++) {
		if (seen[i] > 0)
			is_leaf = 0
		check_plan(i)
		delete seen[i]
		delete plan[i]
	}
	deepest = d
	seen[d]++
	text = line
	sub(/^ *(not )?ok [0-9]+ *(- )?/, "", text)
	if (is_leaf) {
		if (match(line, /# *[Ss][Kk][Ii][Pp]/)) {
			skipped++
			why = substr(line, RSTART + RLENGTH)
			sub(/^[ :]+/, "", why)
			sub(/ *# *[Ss][Kk][Ii][Pp].*/, "", text)
			skips[++nskip] = "skipped: " name " " text ": " \
				(why == "" ? "no reason given" : why)
		} else if (ok || line ~ /# *(XFAIL|TODO)/) {
			passed++
		} else {
			failed++
			tell_failed(text, d)
		}
	} else if (!ok && failed == failed_at[d]) {
		failed++
		tell_failed(text, d)
	}
	failed_at[d] = failed
	start[d] = nlines + 2
}

# The lines since the last result at this depth or above
function tell_failed(text, d,    i, from)
{
	bad[++nbad] = "not ok " name " " text
	from = 1
	for (i = 0; i <= d; i++)
		if (start[i] > from)
			from = start[i]
	for (i = from; i <= nlines; i++) {
		if (i == from + 20 && nlines - from > 50) {
			bad[++nbad] = "    ... " nlines - from - 40 " lines ..."
			i = nlines - 20
		}
		bad[++nbad] = "    " lines[i]
	}
}

function check_plan(d)
{
	if ((d in plan) && plan[d] != seen[d] + 0)
		fault("said " plan[d] " results, gave " seen[d] + 0)
}

function time_text(ms)
{
	return ms > 0 ? sprintf(", %.1f s", ms / 1000) : ""
}

function print_bad(    i)
{
	for (i = 1; i <= nbad; i++)
		print "      " bad[i]
	for (i = 1; i <= nskip; i++)
		print "      " skips[i]
}

function finish(how, ms,    d, word)
{
	for (d = 0; d <= deepest; d++)
		check_plan(d)
	if (how == "timeout")
		fault("time limit; the last it said: " last_line())
	else if (how ~ /^signal/)
		fault("died of " how)
	else if (how == "exit:4" && passed + failed + skipped == 0)
		skips[++nskip] = "skipped: " name ": " last_line(skipped++)
	else if (how !~ /^exit:[04]$/ && !failed)
		fault("ended with " how)
	else if (passed + failed + skipped == 0 && name !~ /^run:/)
		fault("no result in its output")
	word = failed ? "FAILED" : "ok"
	printf "  %-6s %s: %d passed%s%s%s\n", word, name, passed,
		failed ? ", " failed " failed" : "",
		skipped ? ", " skipped " skipped" : "", time_text(ms)
	print_bad()
	all_passed += passed
	all_failed += failed
	all_skipped += skipped
	name = ""
}

function last_line(    i)
{
	for (i = nlines; i > 0; i--)
		if (lines[i] !~ /^[ \t]*$/)
			return lines[i]
	return "nothing"
}

# A line of the console that opens a report
function is_report(line)
{
	if (line ~ /DMA-API: (preallocated|debugging enabled)/)
		return 0
	return line ~ /(WARNING: |BUG: |BUG [a-z]|BUG at |Oops|general protection fault|Kernel panic|UBSAN: |KASAN: |KCSAN: |DMA-API: |ODEBUG: |INFO: .*(blocked for more|detected|trying to register|hung)|possible (recursive|circular)|suspicious RCU|inconsistent lock state|list_(add|del) corruption|refcount_t: |kmemleak: [0-9]+ new suspected|sleeping function called|invoked oom-killer|Out of memory: |page allocation failure: |stall(s|ed) on CPU|printk messages dropped|unreferenced object|no space left for object|dma-buf.*failed with error)/
}

# A data race of functions that are none of the series: it is counted, by its title
function is_others_race(line,    n, i, functions)
{
	if (!sub(/^BUG: KCSAN: .*race in /, "", line))
		return 0
	n = split(line, functions, " / ")
	for (i = 1; i <= n; i++) {
		sub(/\+0x.*/, "", functions[i])
		if (functions[i] in ours)
			return 0
	}
	races++
	if (!others[line]++)
		race[++nrace] = line
	return 1
}

BEGIN {
	forget()
	deepest = 0
	while (own != "" && (getline name < own) > 0)
		ours[name]
	name = ""
}

# The verdict
FILENAME == ARGV[1] {
	sub(/\r$/, "")
	if ($1 == "@begin") {
		if (name != "")
			finish_cut()
		name = $2
		forget()
		deepest = 0
		begun[name] = 1
	} else if ($1 == "@end" && $2 == name) {
		finish($3, $4)
	} else if ($1 == "@done") {
		done = 1
	} else if (name != "") {
		d = indent($0) / 4
		if ($0 ~ /^ *(not )?ok [0-9]+/) {
			result($0, int(d))
			keep($0)
		} else {
			if ($0 ~ /^ *1\.\.[0-9]+/) {
				n = $0
				sub(/^ *1\.\./, "", n)
				plan[int(d)] = n + 0
				seen[int(d)] += 0
				if (int(d) > deepest)
					deepest = int(d)
			}
			keep($0)
		}
	}
	next
}

# The console
{
	sub(/\r$/, "")
	text = $0
	sub(/^\[ *[0-9]+\.[0-9]+\]/, "", text)
	sub(/^(\[ *[TC][0-9]+\])? ?/, "", text)
	if (text ~ /^lab: begin /) {
		where = substr(text, 12)
		after = ""
	} else if (text ~ /^lab: end /) {
		where = "after " substr(text, 10)
	} else if (text ~ /^ *# Subtest: /) {
		sub(/^ *# Subtest: /, "", text)
		where = "kunit:" text
		after = ""
	} else if (text ~ /^ +(not )?ok [0-9]+ / && where ~ /^kunit:/) {
		after = " after" substr(text, match(text, / (not )?ok/) )
	}
	if (in_report && (in_report++ > 60 || text ~ /^lab: |---\[ end|^=====+$|^ *(not )?ok [0-9]/))
		in_report = 0
	if (!in_report && is_report(text) && !is_others_race(text)) {
		in_report = 1
		reports++
		if (reports <= 20)
			report[++nreport] = "not ok kernel report in " \
				(where == "" ? "boot" : where after) ":"
	}
	if (in_report && reports <= 20)
		report[++nreport] = "    " text
	tail[FNR % 30] = text
	console_lines = FNR
}

function finish_cut()
{
	fault("did not come to an end; the last it said: " last_line())
	finish("exit:0", 0)
}

END {
	if (name != "")
		finish_cut()
	if (reports) {
		all_failed += reports
		printf "  FAILED %s: %d report%s in the kernel's log\n", guest,
			reports, reports == 1 ? "" : "s"
		for (i = 1; i <= nreport; i++)
			print "      " report[i]
	}
	if (races) {
		printf "  other  %s: %d data race%s in files of the base\n", guest,
			races, races == 1 ? "" : "s"
		for (i = 1; i <= nrace; i++)
			print "      " others[race[i]] " in " race[i]
	}
	n = split(expected, names, " ")
	for (i = 1; i <= n; i++) {
		if (!(names[i] in begun)) {
			all_failed++
			printf "  FAILED %s: it did not run\n", names[i]
		}
	}
	if (!done || ended != "") {
		all_failed++
		printf "  FAILED %s: %s (%s), last in %s\n", guest,
			done ? "no clean end" : "no verdict",
			ended == "" ? "the guest stopped" : ended,
			where == "" ? "boot" : where after
		for (i = console_lines - 29; i <= console_lines; i++)
			if (i > 0 && !reports)
				print "      " tail[i % 30]
	}
	print "@counts", all_passed + 0, all_failed + 0, all_skipped + 0
}
