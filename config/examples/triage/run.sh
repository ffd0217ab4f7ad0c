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
. config/examples/scripted.sh

if [ -z "${OPENAI_API_KEY:-}" ]; then
	start_mock "$example/mock.json"
	set -- -c model.name=scripted -c "model.base_url=$(said url)" \
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
