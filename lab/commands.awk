# SPDX-License-Identifier: GPL-2.0-only
# awk -f commands.awk PAGE.rst: the commands of a page that can be typed in the
# guest, one a line after "$ ", and what the page says they print. They are in
# blocks of sh, and what they print is in blocks of text.

/^\.\. code-block:: (sh|text)$/ { kind = $3; next }
kind != "" && /^ *:/ { next }
kind != "" && /^[^ ]/ { kind = "" }
kind != "" && NF {
	sub(/^  +/, "")
	print (kind == "sh" ? "$ " : "> ") $0
}
