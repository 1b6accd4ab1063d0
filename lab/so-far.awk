# SPDX-License-Identifier: GPL-2.0-only
# awk -v file=PATH -v absent_list=LIST -v options=FILE -f so-far.awk: a Makefile
# or Kconfig as it reads while the files of LIST are not there yet. What
# names such a file goes: the word, the line when nothing is left of it, and the
# option that nothing but such lines asked for. A Makefile writes these options
# to FILE, a Kconfig reads them.

# The path that a word of a Makefile means, if it is one of a file
function meant(word,    path)
{
	sub(/^\$\(OUTPUT\)\//, "", word)
	sub(/:$/, "", word)
	path = dir word
	while (path ~ /[^\/]+\/\.\.\//)
		sub(/[^\/]+\/\.\.\//, "", path)
	if (path ~ /\/$/)
		return path "Makefile"
	if (path ~ /\.[ch]$/)
		return path
	sub(/\.o$/, "", path)
	return path ".c"
}

function gone(word)
{
	return meant(word) in absent
}

# A line of a statement without the words that are gone; counts what it keeps
function prune(line,    kept, space)
{
	kept = ""
	while (match(line, /[^ \t]+/)) {
		space = substr(line, 1, RSTART - 1)
		word = substr(line, RSTART, RLENGTH)
		line = substr(line, RSTART + RLENGTH)
		if (gone(word)) {
			lost++
			continue
		}
		kept = kept space word
		if (word == "\\")
			continue
		if (in_value)
			left++
		else if (word ~ /^[:+?]?=$/ || word ~ /:$/)
			in_value = 1
	}
	return kept
}

# The options that a statement asks for
function asks(text, set)
{
	while (match(text, /\$\(CONFIG_[A-Z0-9_]+\)/)) {
		set[substr(text, RSTART + 9, RLENGTH - 10)]
		text = substr(text, RSTART + RLENGTH)
	}
}

# Of what a variable like NAME-objs says what it is made of
function made_of_gone(name)
{
	return sub(/-(objs|y|\$\(.*\))$/, "", name) && (dir name ".c") in absent
}

# Where lines are left out, no two empty ones meet
function emit(line)
{
	if (line != "" || last != "")
		print line
	last = line
}

# A statement: the lines raw[1] to raw[n], of which all but the last go on
function statement(    i, text, line, count, head)
{
	in_value = left = lost = count = 0
	split(raw[1], head)
	for (i = 1; i <= n; i++) {
		text = text raw[i]
		line = prune(raw[i])
		if (line !~ /^[ \t]*\\?$/)
			out[++count] = line
	}
	if (lost && !left || gone(head[1]) || made_of_gone(head[1])) {
		asks(text, dropped)
		return
	}
	asks(text, asked)
	if (!lost) {
		for (i = 1; i <= n; i++)
			emit(raw[i])
		return
	}
	sub(/[ \t]*\\$/, "", out[count])
	for (i = 1; i <= count; i++)
		emit(out[i])
}

BEGIN {
	dir = file
	makefile = sub(/Makefile$/, "", dir)
	sub(/[^\/]*$/, "", dir)
	while ((getline path < absent_list) > 0)
		absent[path]
	while (!makefile && (getline option < options) > 0)
		dropped[option]
}

makefile {
	raw[++n] = $0
	if ($0 !~ /\\$/ || /^#/) {
		statement()
		n = 0
	}
	next
}

/^source / {
	path = $2
	gsub(/"/, "", path)
	if (path in absent)
		next
}

/^[a-z]/ { skip = /^(menu)?config / && ($2 in dropped) }

!skip { print }

END {
	for (option in dropped)
		if (makefile && !(option in asked))
			print option > options
}
