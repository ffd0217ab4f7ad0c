#!/bin/sh
# run.sh [FOLDER [OPTION...]]: an agent mends a project whose tests fail.
# With OPENAI_API_KEY the model is the one of agent.json; without, a scripted
# one.  Options go to skep run.  Writes below FOLDER (build/codefix); prints the
# answer and what changed.

set -eu
cd "$(dirname "$0")/../../.."
example=config/examples/codefix
skep=${SKEP:-$PWD/build/release/skep}
work=${1:-$PWD/build/codefix}
[ $# -eq 0 ] || shift

mkdir -p "$work"
. config/examples/scripted.sh

if [ -z "${OPENAI_API_KEY:-}" ]; then
	start_mock "$example/mock.json"
	set -- -c model.name=scripted -c "model.base_url=$(said url)" \
		-c model.api_key=null "$@"
fi

status=0
"$skep" run "$example/agent.json" "The tests of this project fail. Mend it." \
	-q --state "$work/state" --outputs "$work/outputs" "$@" || status=$?
stop_mock
diff -u "$example/project/spans.py" "$work/outputs/project/spans.py" || true
exit "$status"
