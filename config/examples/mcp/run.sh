#!/bin/sh
# run.sh [FOLDER]: an agent with two tool servers from npm, and two runs of it.
# With OPENAI_API_KEY the model is the one of agent.json; without, a scripted
# one.  Works below FOLDER (build/mcp); NODE_MODULES names a folder that has
# the servers already, else npm fetches them.

set -eu
cd "$(dirname "$0")/../../.."
example=config/examples/mcp
skep=${SKEP:-$PWD/build/release/skep}
work=${1:-$PWD/build/mcp}

mkdir -p "$work/memory" "$work/notes"
cp "$example/agent.json" "$example/instructions.md" "$example/package.json" \
	"$work"
cp "$example/notes/"* "$work/notes"
if [ -n "${NODE_MODULES:-}" ]; then
	sed "s,\"node_modules\",\"$NODE_MODULES\"," "$example/agent.json" \
		>"$work/agent.json"
elif ! [ -d "$work/node_modules" ]; then
	(cd "$work" && npm install --ignore-scripts --no-audit --no-fund \
		--no-package-lock >&2)
fi

. config/examples/scripted.sh

if [ -z "${OPENAI_API_KEY:-}" ]; then
	start_mock "$example/mock.json"
	set -- -c model.name=scripted -c "model.base_url=$(said url)" \
		-c model.api_key=null
else
	set --
fi

"$skep" servers "$work/agent.json" --state "$work/state" "$@" >&2
"$skep" run "$work/agent.json" "Read my notes and keep what they ask of me." \
	--state "$work/state" "$@"
"$skep" run "$work/agent.json" "What do new brakes cost?" \
	--state "$work/state" "$@"
