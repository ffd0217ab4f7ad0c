#!/bin/sh
# run.sh [FOLDER [OPTION...]]: three runs, each of which knows what those before
# it found out.  With OPENAI_API_KEY the model is the one of agent.json; without,
# a scripted one.  Options go to skep run.  Writes below FOLDER (build/memory);
# prints the answers and what is remembered.

set -eu
cd "$(dirname "$0")/../../.."
example=config/examples/memory
skep=${SKEP:-$PWD/build/release/skep}
work=${1:-$PWD/build/memory}
[ $# -eq 0 ] || shift

mkdir -p "$work"
mock=
stop_mock() {
	[ -z "$mock" ] || { kill "$mock" 2>/dev/null && wait "$mock"; } || true
	mock=
}
trap stop_mock EXIT
trap 'exit 130' INT TERM

if [ -z "${OPENAI_API_KEY:-}" ]; then
	rm -f "$work/ready.json"
	"$skep" mock "$example/mock.json" >"$work/ready.json" &
	mock=$!
	while ! [ -s "$work/ready.json" ]; do
		kill -0 "$mock" 2>/dev/null ||
			{ echo "the mock ended" >&2; exit 1; }
		sleep 0.05
	done
	url=$(sed 's/.*"url": *"\([^"]*\)".*/\1/' "$work/ready.json")
	set -- -c model.name=scripted -c "model.base_url=$url" \
		-c model.api_key=null "$@"
fi

status=0
for month in march april may; do
	printf '%s: ' "$month"
	"$skep" run "$example/agent.json" "What was spent in $month?" \
		-q --state "$work/state" "$@" || { status=$?; break; }
done
stop_mock
echo
"$skep" memory show books --state "$work/state" || status=$?
exit "$status"
