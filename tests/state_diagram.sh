#!/bin/sh
# Print the diagram of a run's states, in Mermaid's words, from the table that
# the engine is compiled from.  README.md holds a copy; a test compares the two.

cd "$(dirname "$0")/.." || exit 1

echo 'stateDiagram-v2'
tr '\n\t' '  ' <engine/run_states.def | sed 's/.*\*\/ *//; s/#undef.*//
s/RUN_STATE(/\
&/g' | awk '
/^RUN_STATE\(/ {
	split($0, part, "\"")
	split($0, word, /[(,] */)
	name = word[3]
	if (!started++)
		print "    [*] --> " name
	print "    " name " : " part[2]
	edges = part[1]
	if (edges !~ /TO\(/)
		print "    " name " --> [*]"
	while (match(edges, /TO\([A-Z_]+\)/)) {
		to = tolower(substr(edges, RSTART + 3, RLENGTH - 4))
		print "    " name " --> " to
		edges = substr(edges, RSTART + RLENGTH)
	}
}'
