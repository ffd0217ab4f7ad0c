#!/bin/sh
# run.sh [FOLDER]: which licences do the packages of this machine name?  One
# agent for every /usr/share/doc/*/copyright, with a scripted model over TLS.
# Writes below FOLDER (build/licenses); prints "package: licences" lines.

set -eu
cd "$(dirname "$0")/../../.."
example=config/examples/licenses
skep=${SKEP:-$PWD/build/release/skep}
work=${1:-$PWD/build/licenses}

mkdir -p "$work"
for file in /usr/share/doc/*/copyright; do
	[ -f "$file" ] || continue
	name=${file%/copyright}
	printf '{"custom_id":"%s","input":"Report the licences.","variables":{"file":"%s"}}\n' \
		"${name##*/}" "$(readlink -f "$file")"
done >"$work/tasks.jsonl"

. config/examples/scripted.sh

start_mock "$example/mock.json" --tls

status=0
OPENAI_API_KEY=the-script-asks-for-none "$skep" batch \
	"$example/agent.json" "$work/tasks.jsonl" -j 64 --ordered \
	--state "$work/state" -o "$work/results.jsonl" \
	-c model.name=scripted -c "model.base_url=$(said url)" \
	-c "model.ca_file=$(said ca_file)" || status=$?
stop_mock
python3 -B "$example/report.py" "$work/results.jsonl"
exit "$status"
