# SPDX-License-Identifier: GPL-2.0-only
# Put a fault into a source file.
#
#   awk -f mutate.awk MUTANT SOURCE >MUTATED
#
# MUTANT is as lab/mutants/README.md says: lines that begin with a blank or `-`
# are together found in SOURCE exactly once, those with a blank or `+` take
# their place. Exits with 1 and a reason if that is not so.

FNR == NR {
	if (/^[ -]/)
		old[++nold] = substr($0, 2)
	if (/^[ +]/)
		new[++nnew] = substr($0, 2)
	if (/^[-+]/)
		changes++
	next
}

{
	line[++nlines] = $0
}

function is_at(first,    i)
{
	for (i = 1; i <= nold; i++)
		if (line[first + i - 1] != old[i])
			return 0
	return 1
}

function refuse(why)
{
	print FILENAME ": " why >"/dev/stderr"
	exit 1
}

END {
	if (!nold || !changes)
		refuse("the fault changes nothing")
	for (i = 1; i + nold - 1 <= nlines; i++)
		if (is_at(i)) {
			at = i
			found++
		}
	if (found != 1)
		refuse("what is to be changed is there " found + 0 " times")
	for (i = 1; i < at; i++)
		print line[i]
	for (i = 1; i <= nnew; i++)
		print new[i]
	for (i = at + nold; i <= nlines; i++)
		print line[i]
}
