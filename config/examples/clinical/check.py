#!/usr/bin/env python3
"""Compare the results of a batch with the truth:  check.py FOLDER STATE

Prints "200/200" and succeeds when every record was split exactly right;
otherwise says what was wrong with each.
"""

import hashlib
import json
import pathlib
import sys


def fault(result, truth, state):
    """What is wrong with one result, or None."""
    if result is None:
        return "no result"
    if result["status"] != "finished":
        return f"{result['status']}: {result['error']}"
    listed = {o["path"]: o for o in result["outputs"]}
    output = listed.get("output/encounters.json")
    if output is None:
        return f"outputs are {sorted(listed)}; the agent said: " \
               f"{result['response']['output_text']}"
    path = state / "runs" / result["run_id"] / "outputs" / output["path"]
    content = path.read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    if output["sha256"].removeprefix("sha256:") != digest:
        return "the output's digest is wrong"
    if output["bytes"] != len(content):
        return "the output's length is wrong"
    found = json.loads(content)["encounters"]
    answer = json.loads(result["response"]["output_text"])
    if answer != {"encounters": len(found), "checked": True,
                  "file": output["path"]}:
        return f"the answer is {answer}"
    if found != truth:
        return f"{len(found)} encounters found, {len(truth)} are there, " \
               f"{sum(f in truth for f in found)} agree"
    return None


def main(folder, state):
    folder, state = pathlib.Path(folder), pathlib.Path(state)
    results, seen = {}, 0
    for line in open(folder / "results.jsonl"):
        result = json.loads(line)
        results[result["custom_id"]] = result
        seen += 1
    right = total = 0
    for line in open(folder / "truth.jsonl"):
        record = json.loads(line)
        ident, total = record["custom_id"], total + 1
        wrong = fault(results.get(ident), record["encounters"], state)
        if wrong is None:
            right += 1
        else:
            print(f"{ident}: {wrong}", file=sys.stderr)
    print(f"{right}/{total}")
    return 0 if right == total == seen else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
