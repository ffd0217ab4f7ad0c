"""Task files of every kind: what can be used runs, what cannot is named."""

import json
import os
import resource
import threading

import pytest

from conftest import say, script

GOOD = {"custom_id": "good", "input": "Say something."}


@pytest.fixture
def talker(mock, agent):
    """An agent whose model always answers "Done."."""
    return agent(mock(script(say("Done."))))


def write(skep, content):
    path = skep.home / "tasks.jsonl"
    path.write_bytes(content)
    return path


def line(**members):
    return json.dumps(members).encode() + b"\n"


def test_each_task_has_one_result_line(batch, talker, tasks):
    done = batch(talker, tasks([{"custom_id": f"t{i}", "input": "x"}
                                for i in range(20)]))
    assert done.status == 0
    assert done.codes() == {f"t{i}": "finished" for i in range(20)}
    result = done.of("t7")
    assert result["response"]["output_text"] == "Done."
    assert {"run_id", "usage", "timing", "outputs"} <= set(result)


def test_ordered_keeps_the_order_of_the_input(batch, talker, tasks):
    names = [f"t{i}" for i in range(40)]
    done = batch(talker, tasks([{"custom_id": n, "input": "x"}
                                for n in names]), "--ordered", "-j", "16")
    assert [r["custom_id"] for r in done.results] == names


@pytest.mark.parametrize("content", [
    line(**GOOD).replace(b"\n", b"\r\n"),
    b"\xef\xbb\xbf" + line(**GOOD),
    b"\n  \n\r\n" + line(**GOOD) + b"\n\n",
    line(**GOOD).rstrip(),
], ids=["crlf", "bom", "blank", "no-final-newline"])
def test_harmless_oddities_are_accepted(skep, batch, talker, content):
    done = batch(talker, write(skep, content))
    assert (done.status, done.codes()) == (0, {"good": "finished"})


@pytest.mark.parametrize("bad, named", [
    (b'{"custom_id": "x", "input": "cut', None),
    (b'{"custom_id": "x", "input": "\xff\xfe"}', "UTF-8"),
    (b'{"custom_id": "x", "input": "a\x00b"}', None),
    (b'{"custom_id": "x", "input": ' + b"[" * 100_000, "nesting"),
    (b'{"custom_id": "x", "input": "a", "inptu": 1}', "inptu"),
    (b'{"custom_id": "x"}', "input"),
    (b'{"custom_id": "x", "input": 7}', "input"),
    (b'{"input": "no id"}', "custom_id"),
    (b'{"custom_id": 7, "input": "a"}', "custom_id"),
    (b'{"custom_id": "", "input": "a"}', "custom_id"),
    (b'["custom_id"]', None),
    (b'hello', None),
], ids=["cut", "utf-8", "nul", "deep", "unknown-field", "no-input",
        "input-number", "no-id", "id-number", "id-empty", "array", "word"])
def test_a_bad_line_becomes_a_result_and_the_rest_runs(
        skep, batch, talker, bad, named):
    done = batch(talker, write(skep, b"\n" + bad + b"\n" + line(**GOOD)))
    assert done.status == 1
    assert done.of("good")["status"] == "finished"
    other = [r for r in done.results if r["custom_id"] != "good"]
    assert len(other) == 1
    assert other[0]["custom_id"] in ("x", None)
    assert other[0]["error"]["code"] == "bad_task"
    message = other[0]["error"]["message"]
    assert "2" in message, "the line's number"
    if named:
        assert named in message


def test_an_openai_batch_line_is_accepted(batch, talker, tasks):
    done = batch(talker, tasks([
        {"custom_id": "a", "method": "POST", "url": "/v1/responses",
         "body": {"model": "gpt-4.1", "input": "Hello"}},
        {"custom_id": "b", "method": "POST", "url": "/v1/chat/completions",
         "body": {"model": "gpt-4.1", "messages": [
             {"role": "system", "content": "Be kind."},
             {"role": "user", "content": "Hello"}]}}]))
    assert done.codes() == {"a": "finished", "b": "finished"}


def test_a_missing_file_is_66(batch, talker, skep):
    done = batch(talker, skep.home / "nothing.jsonl")
    assert (done.status, done.results) == (66, [])
    assert "nothing.jsonl" in done.err


@pytest.mark.parametrize("content", [b"", b"\n\n", b"\xef\xbb\xbf"])
def test_a_file_without_a_task_is_65(skep, batch, talker, content):
    done = batch(talker, write(skep, content))
    assert (done.status, done.results) == (65, [])


def test_duplicates_stop_a_batch_before_it_starts(batch, talker, tasks, skep):
    done = batch(talker, tasks([GOOD, {"custom_id": "b", "input": "x"}, GOOD]))
    assert (done.status, done.results) == (65, [])
    assert "good" in done.err and "3" in done.err


def test_in_a_pipe_the_second_of_two_becomes_bad_task(batch, talker, skep):
    done = batch(talker, "-", input=line(**GOOD) * 2 + line(
        custom_id="b", input="x"))
    assert done.status == 1
    assert sorted(r["error"]["code"] if r["error"] else r["status"]
                  for r in done.results) == ["bad_task", "finished",
                                             "finished"]


def test_a_fifo_is_read_as_it_grows(skep, talker):
    """A result comes out while the input is still open."""
    fifo = skep.home / "fifo"
    os.mkfifo(fifo)
    process = skep.start("batch", talker, fifo, "--state", skep.state)
    with open(fifo, "wb", buffering=0) as f:
        for name in ("one", "two"):
            f.write(line(custom_id=name, input="x"))
            result = json.loads(process.stdout.readline())
            assert result["custom_id"] == name
    assert process.wait(20) == 0


@pytest.mark.limit(240)
def test_a_line_of_200_mib_is_refused_in_bounded_memory(skep, talker):
    process = skep.start("batch", talker, "-", "--state", skep.state,
                         stdin=-1)

    def feed():
        process.stdin.write(b'{"custom_id": "huge", "input": "')
        for _ in range(200):
            process.stdin.write(b"a" * (1 << 20))
        process.stdin.write(b'"}\n' + line(**GOOD))
        process.stdin.close()

    feeder = threading.Thread(target=feed)
    feeder.start()
    results = [json.loads(x) for x in process.stdout]
    feeder.join()
    process.stdin = None
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 1
    assert len(results) == 2
    assert {r["error"]["code"] if r["error"] else r["status"]
            for r in results} == {"bad_task", "finished"}
    assert usage.ru_maxrss < 100 * 1024, "KB"
    assert resource.getpagesize() > 0


def test_a_long_line_that_is_still_allowed_is_used(batch, talker, tasks):
    done = batch(talker, tasks([
        {"custom_id": "long", "input": "a" * (8 << 20)}]))
    assert done.codes() == {"long": "finished"}


def test_running_again_does_only_what_is_missing(batch, talker, tasks, skep):
    first = batch(talker, tasks([GOOD]), "-o", skep.home / "out")
    assert first.status == 0
    path = tasks([GOOD, {"custom_id": "more", "input": "x"}])
    assert batch(talker, path, "-o", skep.home / "out").status == 0
    ids = [json.loads(x)["custom_id"] for x in open(skep.home / "out")]
    assert sorted(ids) == ["good", "more"]
    third = batch(talker, path, "-o", skep.home / "out")
    assert third.status == 0
    assert "nothing" in third.err
    assert len(open(skep.home / "out").readlines()) == 2


def test_a_changed_line_under_the_same_id_is_a_new_run(
        batch, talker, tasks, skep):
    out = skep.home / "out"
    batch(talker, tasks([GOOD]), "-o", out)
    done = batch(talker, tasks([GOOD | {"input": "Say something else."}]),
                 "-o", out)
    assert done.status == 0
    assert "good" in done.err, "it says so"
    runs = [json.loads(x)["run_id"] for x in open(out)]
    assert len(runs) == len(set(runs)) == 2


def test_a_torn_last_line_of_the_results_is_repaired(
        batch, talker, tasks, skep):
    out = skep.home / "out"
    path = tasks([{"custom_id": f"t{i}", "input": "x"} for i in range(5)])
    assert batch(talker, path, "-o", out).status == 0
    whole = out.read_bytes()
    out.write_bytes(whole[:-20])
    assert batch(talker, path, "-o", out).status == 0
    ids = [json.loads(x)["custom_id"] for x in open(out)]
    assert sorted(ids) == [f"t{i}" for i in range(5)]


def test_variables_of_a_task_reach_input_and_manifest(
        batch, mock, agent, tasks, skep):
    (skep.home / "data").mkdir()
    (skep.home / "data/a1.txt").write_text("the record of a1\n")
    server = mock(script(
        {"when": {"turn": 0, "input": "*colour is green*"},
         "reply": [{"tool": "exec_command", "arguments": {
             "cmd": "cat in.txt note"}}]},
        {"when": {"turn": 1, "last_output": "*the record of a1*a1 green*"},
         "reply": [{"text": "Right."}]}))
    file = agent(server, manifest={"entries": {
        "in.txt": {"type": "local_file", "src": "data/${custom_id}.txt"},
        "note": {"type": "file",
                 "content": "${custom_id} ${variables.colour}"}}})
    done = batch(file, tasks([{"custom_id": "a1",
                               "input": "The colour is ${variables.colour}.",
                               "variables": {"colour": "green"}}]))
    assert done.of("a1")["response"]["output_text"] == "Right."
