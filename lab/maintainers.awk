# SPDX-License-Identifier: GPL-2.0-only
# awk -f maintainers.awk OURS THEIRS: THEIRS with the sections of OURS put in
# by the alphabet. A section is a title and the lines up to the next blank one;
# ours replaces one of theirs that has the same title.

function put_ours_before(title,    i)
{
	for (i = 1; i <= n; i++)
		if (!done[i] && (title == "" || ours[i] <= title)) {
			done[i] = 1
			print text[i]
			skip = (ours[i] == title)
		}
}

FNR == NR {
	if ($0 == "") {
		open = 0
	} else if (!open) {
		open = 1
		ours[++n] = $0
		text[n] = $0 "\n"
	} else {
		text[n] = text[n] $0 "\n"
	}
	next
}

/^Maintainers List$/ { in_list = 1 }

in_list && at_title && $0 != "" {
	skip = 0
	if ($0 == "THE REST")
		put_ours_before("")
	else
		put_ours_before($0)
}

{
	at_title = in_list && ($0 == "" || $0 ~ /^-+$/)
	if (!skip)
		print
	if ($0 == "")
		skip = 0
}
