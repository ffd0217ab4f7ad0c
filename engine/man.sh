#!/bin/sh
# man.sh SKEP: print the manual page, made from what the binary says of itself.

set -eu
skep=$1

# Text as it is: backslashes and leading dots mean something to troff.
verbatim() {
	echo .nf
	sed 's/\\/\\e/g; s/^\([.'\'']\)/\\\&\1/; s/-/\\-/g'
	echo .fi
}

version=$("$skep" --version | sed -n '1s/^skep //p')
cat <<END
.TH SKEP 1 "" "skep $version" "User commands"
.SH NAME
skep \- run many AI agents at once, each in a sandbox of its own
.SH SYNOPSIS
.B skep
.I command
.RI [ option ...]
.RI [ argument ...]
.SH DESCRIPTION
END
"$skep" --help | verbatim
commands=$("$skep" --help | sed -n '/^Commands:/,/^$/s/^  \([a-z]*\) .*/\1/p')
for command in $commands; do
	echo ".SH SKEP $command" | tr '[:lower:]' '[:upper:]'
	"$skep" "$command" --help | verbatim
done
cat <<'END'
.SH EXIT STATUS
0 all good; 1 at least one run failed; 64 usage; 65 bad input; 66 no input;
69 something needed is unavailable; 70 a bug; 73 a file cannot be made; 74
input or output failed; 75 try again later; 77 denied; 78 configuration.
.B skep exec
passes the command's own status on: 124 its deadline passed, 125 the sandbox
could not be built or ended it, 126 not executable, 127 not found, 128+N a
signal.
.SH FILES
.TP
.I $XDG_STATE_HOME/skep
(else
.IR ~/.local/state/skep )
runs, their items and calls, and the outputs of runs.
.SH SIGNALS
The first INT or TERM drains: nothing new is started. The second stops at once.
END
