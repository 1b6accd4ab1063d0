# SPDX-License-Identifier: GPL-2.0-only
# Check a description, and print a C file that has its constants and the sizes
# of what its ioctls take.

function complain(what)
{
	print FILENAME ":" FNR ": " what >"/dev/stderr"
	bad = 1
}

# Names in brackets and arguments that are types, or constants
function use(text,    name)
{
	gsub(/"[^"]*"|0x[0-9a-f]+/, "", text)
	while (match(text, /[A-Za-z_][A-Za-z_0-9]*/)) {
		name = substr(text, RSTART, RLENGTH)
		text = substr(text, RSTART + RLENGTH)
		if (name ~ /^[A-Z][A-Z_0-9]*$/)
			constant[name]
		else
			used[name] = FNR
	}
}

function size_of(type)
{
	return type ~ /^int64|, int64\]/ ? 8 : 4
}

function define(name)
{
	if (name in defined)
		complain(name " is there twice")
	defined[name] = FNR
}

BEGIN {
	split("fd ptr in out inout string const flags buffer bytesize int32 " \
	      "int64 intptr out_overlay buf len cmd arg file mode path dev id", w)
	for (i in w)
		known[w[i]]
}

/^#/ || /^$/ { next }

/^include </ {
	h = $2
	sub(/<uapi\//, "<", h)
	print "#include " h
	next
}

/^resource / {
	if (!match($2, /^[a-z_0-9]+\[[a-z_0-9]+\]$/))
		complain("no resource")
	define(substr($2, 1, index($2, "[") - 1))
	next
}

/^[a-z_0-9]+ \{$/ {
	define($1)
	inside = $1
	next
}

inside && /^}$/ { inside = ""; next }

inside {
	if (!match($0, /^\t[a-z_0-9]+\t+/))
		complain("no field")
	type = substr($0, RLENGTH + 1)
	use(type)
	if (type !~ /out_overlay/)
		size[inside] += size_of(type)
	next
}

/^[a-z_0-9]+ = / {
	define($1)
	text = $0
	sub(/^[^=]*=/, "", text)
	use(text)
	next
}

/^[a-z_0-9]+(\$[A-Za-z_0-9]+)?\(.*\)( [a-z_0-9]+)?$/ {
	call = $0
	sub(/\(.*/, "", call)
	if (call in calls)
		complain(call " is there twice")
	calls[call]
	text = $0
	sub(/^[^(]*\(/, "", text)
	n = gsub(/\[/, "[", text)
	if (n != gsub(/\]/, "]", text))
		complain("a bracket is missing")
	use(text)
	if (match(text, /cmd const\[[A-Z_0-9]*\]/)) {
		cmd = substr(text, RSTART + 10, RLENGTH - 11)
		match(text, /arg ptr\[[a-z]*, .*\]\)/)
		type = substr(text, RSTART + 8, RLENGTH - 10)
		sub(/^[a-z]*, /, "", type)
		takes[cmd] = type
	}
	next
}

{ complain("not understood: " $0) }

END {
	for (name in used)
		if (!(name in defined) && !(name in known)) {
			print FILENAME ":" used[name] ": there is no " name \
				>"/dev/stderr"
			bad = 1
		}
	for (name in defined)
		if (!(name in used)) {
			print FILENAME ":" defined[name] ": nothing uses " name \
				>"/dev/stderr"
			bad = 1
		}
	for (name in constant)
		print "long value_of_" name " = " name ";"
	for (cmd in takes) {
		type = takes[cmd]
		bytes = (type in size) ? size[type] : size_of(type)
		printf "_Static_assert(_IOC_SIZE(%s) == %d, \"%s\");\n", cmd,
			bytes, cmd
	}
	exit bad
}
