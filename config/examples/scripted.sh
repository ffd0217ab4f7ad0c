# shellcheck shell=sh disable=SC2154
# scripted.sh: for the scripts of the examples, which read it with `.` once
# $skep and $work are set.  A scripted model, started and stopped.

mock=

# start_mock SCRIPT [--tls]: until stop_mock or the end.
start_mock() {
	rm -f "$work/ready.json"
	"$skep" mock "$@" >"$work/ready.json" &
	mock=$!
	while ! [ -s "$work/ready.json" ]; do
		kill -0 "$mock" 2>/dev/null ||
			{ echo "the mock ended" >&2; exit 1; }
		sleep 0.05
	done
}

stop_mock() {
	[ -z "$mock" ] || { kill "$mock" 2>/dev/null && wait "$mock"; } || true
	mock=
}
trap stop_mock EXIT
trap 'exit 130' INT TERM

# Of what the mock said when it was ready: url, ca_file.
said() { sed "s/.*\"$1\": *\"\([^\"]*\)\".*/\1/" "$work/ready.json"; }
