#!/bin/sh
# run.sh [FOLDER]: two tickets through a triage agent and its three subagents.
# With OPENAI_API_KEY the model is the one of agent.json; without, a scripted
# one.  Writes below FOLDER (build/triage); prints the answers and the tree.

set -eu
cd "$(dirname "$0")/../../.."
example=config/examples/triage
skep=${SKEP:-$PWD/build/release/skep}
work=${1:-$PWD/build/triage}

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
		-c model.api_key=null
else
	set --
fi

status=0
"$skep" batch "$example/agent.json" "$example/tickets.jsonl" -q --ordered \
	--state "$work/state" -o "$work/results.jsonl" "$@" || status=$?
stop_mock
sed 's/.*"custom_id":"\([^"]*\)".*"output_text":"\([^"]*\)".*/\1: \2/' \
	"$work/results.jsonl"
for ticket in T-1 T-2; do
	"$skep" show "$ticket" --state "$work/state" |
		grep -E '^(custom_id|agent|handed to|usage) '
done
exit "$status"
