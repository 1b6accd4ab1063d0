# SPDX-License-Identifier: GPL-2.0-only
# gnuplot -e "csv='FILE'; svg='FILE'; heaps='NAME...'" bench.gnuplot: what the
# steps of a buffer's life cost, by size, of both kernels, as a picture.

set terminal svg size 1500, 60 + 350 * words(heaps) font 'sans-serif,12' background '#ffffff'
set output svg
set datafile separator ','

steps = 'alloc mmap-touch munmap-close churn cold'
titles = '"allocate" "mmap, first touch" "munmap, close" "whole life, no pause" "whole life, cold"'

# The rows of one heap and step: number, size, stock, series
rows(heap, step) = sprintf("< awk -F, 'split($1, n, \"/\") == 3 && n[1] == \"%s\" && n[3] == \"%s\" { print ++i \",\" n[2] \",\" $3 \",\" $4 }' %s", heap, step, csv)

set logscale y
set format y '10^{%L}'
set grid ytics
set xtics rotate by -40 nomirror scale 0.5
set ytics nomirror
set border 3
set offsets 0.3, 0.3, 0, 0
set key top left reverse Left
set style line 1 linecolor rgb '#999999' linewidth 2 pointtype 7 pointsize 0.6
set style line 2 linecolor rgb '#0060ad' linewidth 2 pointtype 7 pointsize 0.6

set multiplot layout words(heaps), words(steps) title 'Instructions for one buffer, by its size'
do for [h = 1:words(heaps)] {
	do for [s = 1:words(steps)] {
		set title word(heaps, h) . ': ' . word(titles, s)
		plot rows(word(heaps, h), word(steps, s)) \
			using 1:3:xtic(2) with linespoints linestyle 1 title 'stock', \
			'' using 1:4 with linespoints linestyle 2 title 'series'
		unset key
	}
}
unset multiplot
