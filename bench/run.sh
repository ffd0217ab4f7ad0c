#!/bin/sh
# make bench: every measurement, one after the other, on this machine.
# run.sh BUILD-FOLDER

set -eu
cd "$(dirname "$0")/.."
build=${1:-build/release}

echo "$(uname -sr), $(nproc) cores, load $(cut -d' ' -f1-3 /proc/loadavg)"
echo 'batch: 1,000 runs of 5 commands over TLS, beside posix_spawn'
/usr/bin/python3 -B bench/bench_batch.py "$build"
echo 'compare: one sandboxed command, beside other tools'
/usr/bin/python3 -B bench/compare.py "$build"
echo 'lifecycle: with 64 others alive, beside bubblewrap and a bare clone3'
"$build"/bench/bench_lifecycle -j 2 -l 64
echo 'layers: sandboxes with a manifest of 2,000 files, plain and layered'
"$build"/bench/bench_layers
echo 'warm: the first command in a sandbox that was ready'
"$build"/bench/bench_warm
echo 'exec: commands in a live sandbox, beside posix_spawn'
"$build"/bench/bench_exec
echo 'bombs: the loop of an engine in whose sandboxes they go off'
/usr/bin/python3 -B bench/bench_bombs.py "$build"
echo 'json: reading answers of a model, beside jsmn alone and Python'
"$build"/bench/bench_json 7
echo 'net: streamed answers over TLS, beside libcurl'
/usr/bin/python3 -B bench/net.py "$build"
echo 'limit: the number of requests that a server takes, found and followed'
/usr/bin/python3 -B bench/bench_limit.py "$build"
echo 'tools: what they do with bytes, beside GNU patch'
"$build"/bench/bench_tools 7
echo 'programs: tools called from the sandbox, in one run'
/usr/bin/python3 -B bench/programs.py "$build"
echo 'ptys: 512 terminals at once on one loop'
/usr/bin/python3 -B bench/ptys.py "$build"
echo 'endurance: an hour of 64 agents; the default of the program is a day'
/usr/bin/python3 -B bench/endurance.py "$build" --turns 23040
