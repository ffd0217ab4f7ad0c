"""The shipped examples do what they say, over the machine's real files."""

import json
import pathlib
import re
import subprocess

import pytest

from conftest import REPO, SKEP

EXAMPLES = REPO / "config/examples"
NAMED = re.compile(rb"/usr/share/common-licenses/([A-Za-z0-9.+-]*[A-Za-z0-9])")


def grep_licences(path):
    """What a person with grep would find."""
    fields = subprocess.run(["grep", "-a", "^License:", path],
                            stdout=subprocess.PIPE).stdout
    names = {line.partition(b":")[2].strip(b" \t\r")
             for line in fields.split(b"\n")}
    names |= set(NAMED.findall(path.read_bytes()))
    return "; ".join(n.decode(errors="replace")
                     for n in sorted(names - {b""})) or "none named"


@pytest.mark.limit(600)
def test_licenses_finds_what_grep_finds(skep, place):
    files = [p for p in pathlib.Path("/usr/share/doc").glob("*/copyright")
             if p.is_file()]
    expected = {p.parent.name: grep_licences(p) for p in files}
    done = subprocess.run(
        [EXAMPLES / "licenses/run.sh", place / "licenses"],
        env=skep.env | {"SKEP": str(SKEP)}, stdout=subprocess.PIPE)
    found = dict(line.split(": ", 1)
                 for line in done.stdout.decode().splitlines())
    assert found == expected
    assert done.returncode == 0


def test_the_demo_splits_every_record_right(skep, place):
    done = subprocess.run(
        [EXAMPLES / "clinical/demo.sh", place / "demo", "30"],
        env=skep.env | {"SKEP": str(SKEP)}, stdout=subprocess.PIPE)
    assert (done.returncode, done.stdout) == (0, b"30/30\n")


def test_clinical_generator_is_the_same_every_time(place):
    for name in ("a", "b"):
        subprocess.run([EXAMPLES / "clinical/generate.py", place / name,
                        "--records", "5"], check=True)
    difference = subprocess.run(["diff", "-r", place / "a", place / "b"])
    assert difference.returncode == 0


def test_clinical_checker_notices_one_wrong_line(place):
    """The checker is what the demo's 200/200 rests on."""
    import hashlib
    import json
    subprocess.run([EXAMPLES / "clinical/generate.py", place,
                    "--records", "3"], check=True)
    with open(place / "results.jsonl", "w") as results:
        for line in open(place / "truth.jsonl"):
            truth = json.loads(line)
            if truth["custom_id"] == "record-0002":
                truth["encounters"][0]["last_line"] += 1
            content = json.dumps({"encounters": truth["encounters"]}).encode()
            folder = place / "state/runs" / truth["custom_id"] / "outputs"
            (folder / "output").mkdir(parents=True)
            (folder / "output/encounters.json").write_bytes(content)
            print(json.dumps({
                "custom_id": truth["custom_id"], "status": "finished",
                "run_id": truth["custom_id"], "response": {
                    "output_text": json.dumps({
                        "encounters": len(truth["encounters"]),
                        "file": "output/encounters.json",
                        "checked": True})}, "outputs": [
                    {"path": "output/encounters.json", "bytes": len(content),
                     "sha256": hashlib.sha256(content).hexdigest()}]}),
                  file=results)
    done = subprocess.run(
        [EXAMPLES / "clinical/check.py", place, place / "state"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert (done.returncode, done.stdout) == (1, "2/3\n")
    assert "record-0002" in done.stderr


def test_triage_asks_three_agents_and_hands_over(skep, place):
    done = subprocess.run(
        [EXAMPLES / "triage/run.sh", place / "triage"],
        env=skep.env | {"SKEP": str(SKEP)}, stdout=subprocess.PIPE)
    assert done.returncode == 0
    lines = done.stdout.decode().splitlines()
    assert lines[0] == (
        "T-1: You were charged 19.00 twice for invoice 1003, and our "
        "database was down on Monday from 06:12 to 07:48. The second charge "
        "is paid back within five days, and the Monday is not charged. We "
        "are sorry.")
    assert lines[1] == \
        "T-2: Invoice 1007 of 2026-03-05 was 49.00, for the team plan."
    below = [re.sub("[0-9a-f]{16} ", "", line) for line in lines
             if re.match("agent +[0-9a-f]{16} ", line)]
    assert sorted(line.split(",")[0] for line in below) == [
        "agent      billing: finished", "agent      policy: finished",
        "agent      technical: finished"]
    assert "handed to  billing" in lines


@pytest.mark.parametrize("api", ["responses", "chat", "messages"])
def test_codefix_mends_what_its_tests_find(skep, place, api):
    source = EXAMPLES / "codefix/project/spans.py"
    before = source.read_bytes()
    done = subprocess.run(
        [EXAMPLES / "codefix/run.sh", place / "codefix",
         "-c", f"model.api={api}"],
        env=skep.env | {"SKEP": str(SKEP)}, stdout=subprocess.PIPE, text=True)
    assert done.returncode == 0
    assert done.stdout.startswith("All seven tests pass. "), done.stdout
    assert done.stdout.count("\n+") == 4 and done.stdout.count("\n-") == 4
    mended = place / "codefix/outputs/project"
    tests = subprocess.run(
        ["/usr/bin/python3", "-B", "-m", "unittest", "discover",
         EXAMPLES / "codefix/project/tests"], cwd=mended,
        env={"PYTHONPATH": str(mended)}, stderr=subprocess.PIPE, text=True)
    assert tests.returncode == 0 and "Ran 7 tests" in tests.stderr
    assert source.read_bytes() == before


@pytest.mark.parametrize("api", ["responses", "chat", "messages"])
def test_memory_makes_later_runs_shorter(skep, place, api):
    done = subprocess.run(
        [EXAMPLES / "memory/run.sh", place / "memory",
         "-c", f"model.api={api}"],
        env=skep.env | {"SKEP": str(SKEP)}, stdout=subprocess.PIPE, text=True)
    assert done.returncode == 0, done.stdout
    answers = dict(line.split(": ") for line in done.stdout.splitlines()[:3])
    for month in "march", "april", "may":
        told = subprocess.run(
            ["/usr/bin/python3", EXAMPLES / "memory/books/check.py", month,
             answers[month]], stdout=subprocess.PIPE, text=True)
        assert told.stdout == "agrees\n"
    rows = skep.run("ps", "--state", place / "memory/state", "--json").out
    turns = [row["usage"]["turns"] for row in map(
        json.loads, rows.splitlines()) if row["agent"] == "books"]
    assert turns == [3, 3, 4]  # the newest first
