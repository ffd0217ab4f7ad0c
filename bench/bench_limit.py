#!/usr/bin/env python3
"""How well a batch finds the number of requests that a server takes at once.

2,000 runs of one request each, 400 at a time, against `skep mock` over TLS: an
answer takes 250 ms, and the mock lets in 50 at once; in a second plan half as
many on the way, and then the double of that again (by the number of requests
it has let in).  Beyond the limit it says 429 with Retry-After: 1.

The ideal is a client that always has exactly as many requests under way as the
server allows.
"""

import argparse
import json
import pathlib
import statistics
import subprocess
import tempfile
import time
import urllib.request
import ssl

ANSWER_MS = 250
RUNS = 2000
# (requests let in before it, limit): the first step finds the limit, the last
# is the end, when those that were refused wait out their second.
PLANS = {
    "constant": [(0, 50), (200, 50), (1950, 50)],
    "changing": [(0, 50), (200, 50), (800, 25), (1300, 50), (1950, 50)],
}


def script(steps):
    return {"models": ["scripted"], "in_flight_max": steps[0][1],
            "in_flight_steps": [{"after": a, "max": m} for a, m in steps[1:]],
            "rules": [{"reply": [{"text": "Done."}],
                       "timing": {"first_byte_ms": ANSWER_MS}}]}


def ideal_seconds(steps):
    ends = [a for a, _ in steps[1:]] + [RUNS]
    return sum((end - start) / limit * ANSWER_MS / 1000
               for (start, limit), end in zip(steps, ends))


def stats(ready):
    trust = ssl.create_default_context(cafile=ready["ca_file"])
    url = ready["url"].removesuffix("/v1") + "/stats"
    with urllib.request.urlopen(url, context=trust) as answer:
        return json.load(answer)


def one_round(skep, folder, state, steps):
    (folder / "mock.json").write_text(json.dumps(script(steps)))
    mock = subprocess.Popen(
        [skep, "mock", folder / "mock.json", "--until-eof", "--tls"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    ready = json.loads(mock.stdout.readline())
    (folder / "agent.json").write_text(json.dumps({
        "name": "limit", "instructions": "Say done.",
        "model": {"api": "responses", "name": "scripted",
                  "base_url": ready["url"], "ca_file": ready["ca_file"]},
        "tools": []}))
    (folder / "tasks.jsonl").write_text("".join(
        json.dumps({"custom_id": f"t{i}", "input": "go"}) + "\n"
        for i in range(RUNS)))
    began = time.monotonic()
    done = subprocess.run(
        [skep, "batch", folder / "agent.json", folder / "tasks.jsonl",
         "-j", "400", "-q", "--state", folder / state],
        stdout=subprocess.PIPE, check=False)
    seconds = time.monotonic() - began
    finished = sum(json.loads(line)["status"] == "finished"
                   for line in done.stdout.splitlines())
    counted = stats(ready)
    mock.stdin.close()
    mock.wait()
    return seconds, finished, counted


def measure(skep, name, steps, rounds):
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for number in range(rounds):
            rows.append(one_round(skep, pathlib.Path(folder),
                                  f"state{number}", steps))
    ideal = ideal_seconds(steps)
    seconds = statistics.median(s for s, *_ in rows)
    refused = [sum(s["refused"] for s in c["steps"][1:]) for *_, c in rows]
    let_in = [sum(s["let_in"] for s in c["steps"][1:]) for *_, c in rows]
    return {
        "name": name, "runs": RUNS, "finished": min(f for _, f, _ in rows),
        "ideal_s": round(ideal, 2), "seconds": round(seconds, 2),
        "of_ideal": round(ideal / seconds, 3),
        "refused_after_200": max(refused),
        "refused_part": round(max(
            r / (r + n) for r, n in zip(refused, let_in)), 4),
        "steps": rows[-1][2]["steps"]}


def show(result):
    print(f"{result['name']}: {result['finished']} of {RUNS} runs finished; "
          f"{result['seconds']} s, ideal {result['ideal_s']} s: "
          f"{100 * result['of_ideal']:.0f} % of the ideal; "
          f"429 after the first 200: {result['refused_after_200']} "
          f"({100 * result['refused_part']:.1f} %)")
    for step in result["steps"]:
        print(f"  at {step['max']:3}: {step['let_in']:4} let in, "
              f"{step['refused']:3} refused, {step['ms']} ms, "
              f"ideal {step['let_in'] * ANSWER_MS // step['max']} ms")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build", nargs="?", default="build/release")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    for name, steps in PLANS.items():
        result = measure(f"{asked.build}/skep", name, steps, asked.rounds)
        if asked.json:
            print(json.dumps(result))
        else:
            show(result)


main()
