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
. config/examples/scripted.sh

if [ -z "${OPENAI_API_KEY:-}" ]; then
	start_mock "$example/mock.json"
	set -- -c model.name=scripted -c "model.base_url=$(said url)" \
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
