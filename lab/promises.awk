# SPDX-License-Identifier: GPL-2.0-only
# Hold the tables of promises and tests against the sources.
#
#   awk -v faults=NUMBER [-v show=LETTER] -f promises.awk SOURCE.c... DOCUMENT.rst...
#
# Looked at are simple tables whose last column is headed `Test` or `Tests`, in
# rows numbered by a letter and two digits. That column names KUnit tests as
# `suite.case, ...` and kselftests as `program, ...: test, ...`, separated by
# semicolons. Fails for a row without a test, a test that is not in the sources,
# a number that is there twice, and one that is missing: of a letter from 01 to
# the last, and of the faults of the past from R01 to FAULTS. With -v show=LETTER
# the rows of that letter are printed, in order, and only what is wrong with them
# counts.

# WHOSE row it is about; without a row, all of them
function bad(what, whose)
{
	if (show != "" && whose != "" && substr(whose, 1, 1) != show)
		return
	print "  " what
	findings++
}

# One column of a line, by its place in the border; the last has no end
function column(line, which,    i, from)
{
	from = 1
	for (i = 1; i < which; i++) {
		match(substr(border, from), /^=+ +/)
		from += RLENGTH
	}
	match(substr(border, from), /^=+ */)
	line = substr(line, from, which < columns ? RLENGTH : 999)
	gsub(/^ +| +$/, "", line)
	return line
}

function between_columns(line,    i)
{
	for (i = 1; i <= length(border); i++)
		if (substr(border, i, 1) == " " && substr(line, i, 1) ~ /[^ ]/)
			return 1
	return 0
}

function name_test(test)
{
	names[++named] = test
	named_by[named] = place ": " id
	row_of[named] = id
}

function name_tests(item,    n, m, i, j, program, test)
{
	if (index(item, ":")) {
		n = split(substr(item, 1, index(item, ":") - 1), program,
			  / *, */)
		sub(/^[^:]*: */, "", item)
	}
	m = split(item, test, / *, */)
	for (j = 1; j <= m; j++) {
		if (!n)
			name_test(test[j])
		for (i = 1; i <= n; i++)
			name_test(program[i] ": " test[j])
	}
}

# The row that was read so far
function finish_row(    n, i, item)
{
	if (id == "")
		return
	if (id in seen)
		bad(place ": " id " is there twice", id)
	seen[id]
	if (substr(id, 2) + 0 > last[substr(id, 1, 1)])
		last[substr(id, 1, 1)] = substr(id, 2) + 0
	if (promise == "")
		bad(place ": " id " promises nothing", id)
	if (tests == "")
		bad(place ": " id " has no test", id)
	gsub(/ +/, " ", tests)
	what[id] = promise
	n = split(tests, item, / *; */)
	for (i = 1; i <= n; i++)
		name_tests(item[i])
	id = ""
}

FNR == 1 {
	finish_row()
	borders = cases = 0
	program = FILENAME
	sub(/.*\//, "", program)
	sub(/\..*/, "", program)
}

# KUnit
match($0, /KUNIT_CASE[A-Z_]*\([a-z0-9_]+/) {
	name = substr($0, RSTART, RLENGTH)
	sub(/.*\(/, "", name)
	case_of[++cases] = name
}
/^static struct kunit_suite / {
	in_suite = 1
}
in_suite && match($0, /\.name = "[^"]*"/) {
	for (i = 1; i <= cases; i++)
		known[substr($0, RSTART + 9, RLENGTH - 10) "." case_of[i]]
	in_suite = 0
}

# kselftest
/^TEST(_F)?(_SIGNAL|_TIMEOUT)?\(/ {
	split($0, word, /[(), ]+/)
	known[program ": " (/^TEST_F/ ? word[3] : word[2])]
}

# Tables
FILENAME !~ /\.rst$/ {
	next
}
/^=+( +=+)+ *$/ {
	borders++
	if (borders == 1) {
		border = $0
		sub(/ +$/, "", border)
		columns = split(border, word, / +/)
	} else if (borders == 3) {
		finish_row()
		borders = 0
	}
	next
}
borders == 1 {
	is_ours = column($0, columns) ~ /^Tests?$/
}
borders != 2 || !is_ours || /^ *$/ {
	next
}
/^[^ ]/ {
	finish_row()
	id = column($0, 1)
	place = FILENAME ":" FNR
	promise = tests = ""
	if (id !~ /^[A-Z][0-9][0-9]$/) {
		bad(place ": " id " is no number")
		id = ""
	}
}
{
	if (between_columns($0))
		bad(FILENAME ":" FNR ": text between columns")
	promise = promise " " column($0, 2)
	tests = tests " " column($0, columns)
	gsub(/^ +| +$/, "", promise)
	gsub(/^ +| +$/, "", tests)
}

# One row, as a person reads it: its tests below each other
function print_row(id,    i)
{
	print "  " id " " what[id]
	for (i = 1; i <= named; i++)
		if (row_of[i] == id)
			print "      " names[i] \
				(names[i] in known ? "" : "   NOT THERE")
}

END {
	finish_row()
	for (i = 1; i <= named; i++)
		if (!(names[i] in known))
			bad(named_by[i] " names " names[i] \
			    ", which is not there", row_of[i])
	last["R"] = faults
	for (letter in last)
		for (i = 1; i <= last[letter]; i++) {
			rows[letter]++
			all_rows++
			id = sprintf("%s%02d", letter, i)
			if (!(id in seen))
				bad("there is no row " id, id)
			else if (letter == show)
				print_row(id)
		}
	if (findings) {
		print "  promises: " findings " findings"
		exit 1
	}
	if (show != "") {
		for (i = 1; i <= named; i++)
			shown += substr(row_of[i], 1, 1) == show
		print "  " rows[show] " rows, each with tests, " shown " in all"
		exit
	}
	print "  promises: " all_rows " rows, each with tests, " named " in all"
}
