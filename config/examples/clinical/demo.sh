#!/bin/sh
# demo.sh [FOLDER [RECORDS]]
#
# make demo: 200 clinical records, 64 agents at a time, each in a sandbox of
# its own, a scripted model over TLS, and a checker that knows the truth.
# Everything it writes is below FOLDER (build/demo).

set -eu
cd "$(dirname "$0")/../../.."
example=config/examples/clinical
skep=${SKEP:-$PWD/build/release/skep}
work=${1:-$PWD/build/demo}

rm -rf "$work"
mkdir -p "$work"
python3 -B "$example/generate.py" "$work" --records "${2:-200}"
python3 -B "$example/script.py" >"$work/mock.json"
cp -R "$example/agent.json" "$example/instructions.md" "$example/skills" "$work"

. config/examples/scripted.sh

start_mock "$work/mock.json" --tls

status=0
OPENAI_API_KEY=the-script-asks-for-none "$skep" batch \
	"$work/agent.json" "$work/tasks.jsonl" -j 64 \
	--state "$work/state" -o "$work/results.jsonl" \
	-c model.name=scripted -c "model.base_url=$(said url)" \
	-c "model.ca_file=$(said ca_file)" || status=$?
stop_mock
[ "$status" = 0 ] || echo "skep batch ended with status $status" >&2
python3 -B "$example/check.py" "$work" "$work/state"
exit "$status"
