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

mock=
stop_mock() {
	[ -z "$mock" ] || { kill "$mock" 2>/dev/null && wait "$mock"; } || true
	mock=
}
trap stop_mock EXIT
trap 'exit 130' INT TERM

"$skep" mock "$work/mock.json" --tls >"$work/ready.json" &
mock=$!
while ! [ -s "$work/ready.json" ]; do
	kill -0 "$mock" 2>/dev/null || { echo "the mock ended" >&2; exit 1; }
	sleep 0.05
done
member() { sed "s/.*\"$1\": *\"\([^\"]*\)\".*/\1/" "$work/ready.json"; }

status=0
OPENAI_API_KEY=the-script-asks-for-none "$skep" batch \
	"$work/agent.json" "$work/tasks.jsonl" -j 64 \
	--state "$work/state" -o "$work/results.jsonl" \
	-c model.name=scripted -c "model.base_url=$(member url)" \
	-c "model.ca_file=$(member ca_file)" || status=$?
stop_mock
[ "$status" = 0 ] || echo "skep batch ended with status $status" >&2
python3 -B "$example/check.py" "$work" "$work/state"
exit "$status"
