# SPDX-License-Identifier: GPL-2.0-only
# The cases that failed in what kunit.py prints, as suite.case, some of them twice.
# It may end in the middle, if the kernel did. A case with parameters is one case.

# ===== suite (3 subtests) =====
$2 ~ /^=+$/ && $4 ~ /^\(/ {
	suite = $3
	several = ""
	next
}

# ===== case with parameters =====
$2 ~ /^=+$/ && $3 !~ /^\[/ && $4 ~ /^=+$/ {
	several = $3
	next
}

# ===== [FAILED] either =====
$2 ~ /^=+$/ && $3 ~ /^\[[A-Z]/ {
	if ($3 == "[CRASHED]" && $4 != suite)
		print suite "." $4
	several = ""
	next
}

$2 ~ /^\[(FAILED|CRASHED)\]$/ && (several != "" || NF == 3) {
	print suite "." (several != "" ? several : $3)
}

# What it said before it did not come to an end
/ # [a-z0-9_]+: (EXPECTATION|ASSERTION) FAILED/ {
	sub(/^.* # /, "")
	sub(/:.*/, "")
	print suite "." $0
}
