"""Streamed requests over TLS by skep's client and by libcurl, interleaved.

net.py BUILD-FOLDER [N [J]]

Prints for each protocol the medians of CPU per request and of peak memory,
and what skep needs of libcurl's.  Without libcurl's headers only skep runs.

libcurl 7.88 now and then sleeps on the end of its last HTTP/2 stream: the mock
has sent it and libcurl has taken it from the socket (both queues are empty),
but it waits until the mock closes the idle connection a minute later, and then
says "partial file".  Such a round does not count.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile

ROUNDS = 5
SCRIPT = {"models": ["scripted"], "rules": [{
    "when": {}, "reply": [{"text": "word " * 200}],
    "timing": {"first_byte_ms": 20, "chunk_chars": 16}}]}


def main():
    build = sys.argv[1]
    n = sys.argv[2] if len(sys.argv) > 2 else "5000"
    jobs = sys.argv[3] if len(sys.argv) > 3 else "500"
    with tempfile.TemporaryDirectory() as folder:
        script = os.path.join(folder, "script.json")
        with open(script, "w", encoding="utf-8") as f:
            json.dump(SCRIPT, f)
        clients = [[f"{build}/bench/bench_net"]]
        curl = os.path.join(folder, "net_curl")
        made = subprocess.run(
            ["cc", "-O2", "-o", curl, "bench/net_curl.c", "-lcurl"],
            stderr=subprocess.DEVNULL, check=False)
        if made.returncode == 0:
            clients.append([curl])
        mock = subprocess.Popen(
            [f"{build}/skep", "mock", script, "--tls", "--until-eof"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        try:
            measure(clients, json.loads(mock.stdout.readline()), n, jobs)
        finally:
            mock.stdin.close()
            mock.wait()


def measure(clients, server, n, jobs):
    url = server["url"].removesuffix("/v1")
    for protocol in "h2", "h1":
        rows = {}
        for _ in range(ROUNDS):
            for client in clients:
                line = subprocess.run(
                    [*client, url, server["ca_file"], n, jobs, protocol],
                    stdout=subprocess.PIPE, text=True, check=False).stdout
                row = json.loads(line)
                if row["failed"]:
                    print(f"{protocol} {row['client']}: {row['failed']} of "
                          f"{n} requests failed; the round does not count")
                else:
                    rows.setdefault(row["client"], []).append(row)
        report(protocol, rows)


def report(protocol, rows):
    base = rows.get("libcurl")
    for name, measured in rows.items():
        line = f"{protocol} {name:8}"
        for key, unit in (("cpu_us_each", "us CPU"), ("rss_kib", "KiB")):
            value = statistics.median(r[key] for r in measured)
            line += f"  {value:9.1f} {unit}"
            if base and name != "libcurl":
                other = statistics.median(r[key] for r in base)
                line += f" ({value / other:.2f} x libcurl)"
        last = measured[-1]
        line += f"  connections {last['connections']}"
        if "full" in last:
            line += f", handshakes {last['full']} full"
        print(line, flush=True)


main()
