"""skep batch: a file of tasks goes in, one result line each comes out."""

import json
import os
import resource
import subprocess
import threading
import time

import pytest

from conftest import wait_until
from fake_model import FakeModel, echo, input_text, last_output


@pytest.fixture
def model():
    with FakeModel(echo) as server:
        yield server


def lines(text):
    return [json.loads(line) for line in text.splitlines()]


def by_id(results):
    found = {}
    for r in results:
        assert r["custom_id"] not in found, f"{r['custom_id']} twice"
        found[r["custom_id"]] = r
    return found


def some(n):
    return [{"custom_id": f"t{i}", "input": f"task {i}"} for i in range(n)]


def test_one_result_line_for_each_task(skep, model, agent, tasks):
    done = skep.run("batch", agent(model.url), tasks(some(20)), "-j", "8")
    assert done.status == 0, done.err
    results = by_id(lines(done.out))
    assert set(results) == {f"t{i}" for i in range(20)}
    for i in range(20):
        r = results[f"t{i}"]
        assert r["status"] == "finished" and r["error"] is None
        assert r["response"]["output_text"] == f"done: task {i}"
        assert r["usage"]["turns"] == 2
        assert r["usage"]["model_calls"] == 2
        assert r["usage"]["tool_calls"] == 1
        assert r["usage"]["input_tokens"] == 200
        assert r["usage"]["output_tokens"] == 20
        assert r["outputs"] == []
        assert r["evidence"]["sandbox"]["profile"] == "draft"
    assert "20 done, 0 failed, 0 skipped" in done.err
    assert "hello" in last_output(
        next(q for q in model.requests if last_output(q)))


def test_what_is_there_is_not_done_again(skep, model, agent, tasks):
    words = ("batch", agent(model.url), tasks(some(5)))
    out = skep.home / "out.jsonl"
    first = skep.run(*words, "-o", out)
    assert first.status == 0 and first.out == ""
    asked = len(model.requests)
    again = skep.run(*words, "-o", out)
    assert again.status == 0
    assert "nothing was left to do" in again.err
    assert len(model.requests) == asked
    assert len(by_id(lines(out.read_text()))) == 5
    more = skep.run("batch", agent(model.url), tasks(some(7)), "-o", out)
    assert "2 done, 0 failed, 5 skipped" in more.err
    assert len(by_id(lines(out.read_text()))) == 7


def test_what_failed_before_still_counts(skep, model, agent, tasks):
    model.answer = lambda turn, request: 400
    words = ("batch", agent(model.url), tasks(some(2)), "-o", "out.jsonl")
    assert skep.run(*words).status == 1
    asked = len(model.requests)
    again = skep.run(*words)
    assert again.status == 0  # nothing was left to do, and that is done
    assert "nothing was left to do" in again.err
    assert len(model.requests) == asked
    assert "0 done, 0 failed, 2 skipped" in again.err
    assert "2 of the results that were there are of runs that failed" \
        in again.err
    more = (*words[:2], tasks(some(3)), *words[3:])
    model.answer = lambda turn, request: [("text", "done")]
    assert skep.run(*more).status == 1


def test_a_new_output_gets_old_results_without_new_runs(
        skep, model, agent, tasks):
    words = ("batch", agent(model.url), tasks(some(3)))
    skep.run(*words, "-o", skep.home / "a.jsonl")
    asked = len(model.requests)
    again = skep.run(*words, "-o", skep.home / "b.jsonl")
    assert len(model.requests) == asked
    assert "3 done, 0 failed, 0 skipped; 0.0 runs/s" in again.err
    assert sorted((skep.home / "a.jsonl").read_text().splitlines()) == \
        sorted((skep.home / "b.jsonl").read_text().splitlines())


def test_results_to_a_pipe_come_once(skep, model, agent, tasks):
    words = ("batch", agent(model.url), tasks(some(3)))
    assert len(lines(skep.run(*words).out)) == 3
    again = skep.run(*words)
    assert again.status == 0 and again.out == ""


def test_a_redirected_output_is_read_like_a_file(skep, model, agent, tasks):
    words = ("batch", agent(model.url), tasks(some(4)))
    out = skep.home / "out.jsonl"
    with out.open("wb") as f:
        assert skep.run(*words, stdout=f).status == 0
    whole = out.read_text().splitlines(keepends=True)
    assert len(whole) == 4
    out.write_text("".join(whole[:2]) + whole[2][:30])
    with out.open("ab") as f:  # skep batch ... >> out.jsonl
        assert skep.run(*words, stdout=f).status == 0
    assert sorted(out.read_text().splitlines(keepends=True)) == \
        sorted(whole)
    with out.open("wb") as f:  # skep batch ... > out.jsonl
        assert skep.run(*words, stdout=f).status == 0
    assert sorted(out.read_text().splitlines(keepends=True)) == \
        sorted(whole)


def test_a_changed_line_is_a_new_run_and_says_so(skep, model, agent, tasks):
    out = skep.home / "out.jsonl"
    skep.run("batch", agent(model.url), tasks(some(3)), "-o", out)
    changed = some(3)
    changed[1]["input"] = "something else"
    done = skep.run("batch", agent(model.url), tasks(changed), "-o", out)
    assert done.status == 0
    assert '"t1" has changed since run' in done.err
    results = lines(out.read_text())
    assert len(results) == 4
    assert results[-1]["response"]["output_text"] == "done: something else"


def test_ordered_keeps_the_order_of_the_tasks(skep, agent, tasks):
    def slow_first(turn, request):
        if input_text(request) == "task 0":
            time.sleep(0.5)
        return [("text", input_text(request))]

    with FakeModel(slow_first) as model:
        done = skep.run("batch", agent(model.url), tasks(some(12)),
                        "--ordered", "-j", "6")
    assert done.status == 0, done.err
    assert [r["custom_id"] for r in lines(done.out)] == \
        [f"t{i}" for i in range(12)]


def test_jobs_bound_what_runs_at_once(skep, agent, tasks):
    with FakeModel(lambda t, r: [("text", "x")], delay=0.05) as model:
        done = skep.run("batch", agent(model.url), tasks(some(20)),
                        "-j", "3")
        assert done.status == 0, done.err
        assert model.in_flight_max <= 3


def test_models_sandboxes_and_commands_have_ceilings_of_their_own(
        skep, agent, tasks):
    def busy(turn, request):
        if turn < 2:
            return [("call", "exec_command", {
                "cmd": "mkdir /tmp/x; sleep 0.05; ls /proc | grep -c '^[0-9]'"
            })] * 3
        return [("text", "x")]

    with FakeModel(busy, delay=0.05) as model:
        done = skep.run("batch", agent(model.url), tasks(some(12)), "-j", "8",
                        "-c", "engine.model_calls=3",
                        "-c", "engine.sandboxes=2",
                        "-c", "engine.commands=1", "-v")
        assert model.in_flight_max == 3
    assert done.status == 0, done.out
    assert "at most 3 model calls, 2 sandboxes at once" in done.err


def test_more_runs_than_descriptors_by_default(skep, agent, tasks):
    def limit():
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (64, hard))

    with FakeModel(lambda t, r: [("text", "x")], delay=0.2) as model:
        done = skep.run("batch", agent(model.url, tools=[]),
                        tasks(some(200)), "-j", "150", preexec_fn=limit)
    assert done.status == 0, done.err


def test_a_bad_line_is_a_result_and_the_rest_runs(skep, model, agent, tasks):
    done = skep.run("batch", agent(model.url), tasks([
        '\ufeff{"custom_id": "a", "input": "first"}\r',
        "",
        "{broken",
        '{"input": "nobody"}',
        '{"custom_id": "b", "input": "x", "colour": "red"}',
        '{"custom_id": "c"}',
        "[" * 100000,
        '{"custom_id": "z", "input": "last"}',
    ]))
    assert done.status == 1
    results = lines(done.out)
    good = [r for r in results if r["status"] == "finished"]
    assert {r["custom_id"] for r in good} == {"a", "z"}
    bad = {r["error"]["line"]: r for r in results if r["error"]}
    assert sorted(bad) == [3, 4, 5, 6, 7]
    for r in bad.values():
        assert r["status"] == "failed" and r["response"] is None
        assert r["error"]["code"] == "bad_task"
    assert bad[3]["custom_id"] is None and bad[4]["custom_id"] is None
    assert bad[5]["custom_id"] == "b"
    assert "colour" in bad[5]["error"]["message"]
    assert bad[6]["custom_id"] == "c"


def test_bad_bytes_in_a_task_file(skep, model, agent):
    path = skep.home / "tasks.jsonl"
    path.write_bytes(
        b'{"custom_id": "a", "input": "bad \xff utf-8"}\n'
        b'{"custom_id": "b", "input": "nul \x00 byte"}\n'
        b'{"custom_id": "c", "input": "cut off')
    done = skep.run("batch", agent(model.url), path)
    assert done.status == 1
    assert [r["error"]["code"] for r in lines(done.out)] == ["bad_task"] * 3


def test_a_line_too_long_is_refused_alone(skep, model, agent):
    path = skep.home / "tasks.jsonl"
    with path.open("w") as f:
        f.write('{"custom_id": "long", "input": "')
        for _ in range(200):
            f.write("x" * (1 << 20))
        f.write('"}\n{"custom_id": "z", "input": "after"}\n')
    done = skep.run("batch", agent(model.url), path)
    assert done.status == 1
    results = {r["custom_id"]: r for r in lines(done.out)}
    assert results[None]["error"]["code"] == "bad_task"
    assert results[None]["error"]["line"] == 1
    assert results["z"]["status"] == "finished"


def test_duplicates_stop_a_file_before_it_starts(skep, model, agent, tasks):
    twice = some(5) + [{"custom_id": "t2", "input": "again"}]
    done = skep.run("batch", agent(model.url), tasks(twice))
    assert done.status == 65
    assert done.out == "" and model.requests == []
    assert ":6:" in done.err and '"t2"' in done.err and "line 3" in done.err


def test_duplicates_in_a_pipe_are_bad_tasks(skep, model, agent):
    text = "".join(json.dumps(t) + "\n"
                   for t in some(2) + [{"custom_id": "t0", "input": "y"}])
    done = skep.run("batch", agent(model.url), "-", input=text)
    assert done.status == 1
    results = lines(done.out)
    assert len(results) == 3
    bad = next(r for r in results if r["error"])
    assert bad["custom_id"] is None and bad["error"]["line"] == 3
    assert "t0" in bad["error"]["message"]


def test_a_pipe_that_grows_is_worked_on_as_it_comes(skep, model, agent):
    p = skep.start("batch", agent(model.url), "-", stdin=subprocess.PIPE)
    for i in range(3):
        p.stdin.write(json.dumps(
            {"custom_id": f"t{i}", "input": "x"}).encode() + b"\n")
        p.stdin.flush()
        assert json.loads(p.stdout.readline())["custom_id"] == f"t{i}"
    p.stdin.close()
    assert p.wait(20) == 0


def test_a_fifo_works(skep, model, agent):
    fifo = skep.home / "tasks"
    os.mkfifo(fifo)
    p = skep.start("batch", agent(model.url), fifo)
    with fifo.open("w") as f:
        for t in some(3):
            f.write(json.dumps(t) + "\n")
    out, err = p.communicate(timeout=30)
    assert p.returncode == 0, err
    assert len(lines(out.decode())) == 3


def test_a_file_without_tasks(skep, model, agent, tasks):
    for content in ([], ["", "  ", ""]):
        done = skep.run("batch", agent(model.url), tasks(content))
        assert done.status == 65, done
    done = skep.run("batch", agent(model.url), "-", input="\n\n")
    assert done.status == 65
    done = skep.run("batch", agent(model.url), skep.home / "missing")
    assert done.status == 66 and "missing" in done.err


def test_an_openai_batch_line_works_unchanged(skep, model, agent, tasks):
    done = skep.run("batch", agent(model.url), tasks([{
        "custom_id": "request-1", "method": "POST", "url": "/v1/responses",
        "body": {"model": "gpt-x", "input": "say hello"}}]))
    assert done.status == 0, (done.err, done.out)
    assert lines(done.out)[0]["response"]["output_text"] == \
        "done: say hello"


def test_a_bad_agent_stops_before_anything_starts(skep, model, tasks):
    path = skep.home / "agent.json"
    path.write_text('{"name": "x", "modle": {}}')
    done = skep.run("batch", path, tasks(some(2)))
    assert done.status == 78
    assert "modle" in done.err
    assert not skep.state.exists()


def test_endless_tool_calls_end_at_the_turn_budget(skep, agent, tasks):
    def for_ever(turn, request):
        return [("call", "exec_command", {"cmd": "true"})]

    with FakeModel(for_ever) as model:
        done = skep.run("batch", agent(model.url, budget={"turns": 4}),
                        tasks(some(1)))
        assert len(model.requests) == 4
    assert done.status == 1
    r = lines(done.out)[0]
    assert r["error"]["code"] == "budget_turns"
    assert r["usage"]["turns"] == 4


def test_token_and_money_budgets(skep, agent, tasks):
    def for_ever(turn, request):
        return [("call", "exec_command", {"cmd": "true"})]

    with FakeModel(for_ever, usage=(1000, 100, 0)) as model:
        done = skep.run("batch", agent(model.url, budget={"tokens": 3000}),
                        tasks(some(1)), "--state", skep.home / "s1")
        assert lines(done.out)[0]["error"]["code"] == "budget_tokens"
        assert len(model.requests) == 2
        done = skep.run(
            "batch", agent(model.url, budget={"usd": 0.0045},
                           prices={"input": 1.0, "output": 10.0}),
            tasks(some(1)), "--state", skep.home / "s2")
    r = lines(done.out)[0]
    assert r["error"]["code"] == "budget_usd"
    assert r["usage"]["usd"] <= 0.0045


def test_wall_budget(skep, agent, tasks):
    with FakeModel(lambda t, r: [("text", "x")], delay=3) as model:
        done = skep.run("batch",
                        agent(model.url, budget={"wall_seconds": 0.3}),
                        tasks(some(1)))
    assert lines(done.out)[0]["error"]["code"] == "budget_wall"


def test_waiting_for_a_place_takes_no_wall_time(skep, agent, tasks):
    with FakeModel(lambda t, r: [("text", "x")], delay=0.6) as model:
        done = skep.run("batch",
                        agent(model.url, budget={"wall_seconds": 2}),
                        tasks(some(6)), "-j", "6",
                        "-c", "engine.model_calls=1")
    assert done.status == 0, done.out
    waited = [r["timing"]["waited_seconds"] for r in lines(done.out)]
    assert max(waited) > 2


def test_a_task_narrows_its_budget(skep, agent, tasks):
    def for_ever(turn, request):
        return [("call", "exec_command", {"cmd": "true"})]

    with FakeModel(for_ever) as model:
        skep.run("batch", agent(model.url, budget={"turns": 9}), tasks([
            {"custom_id": "a", "input": "x", "budget": {"turns": 2}},
        ]))
        assert len(model.requests) == 2


def test_unknown_tools_and_bad_arguments_go_back_to_the_model(
        skep, agent, tasks):
    def clumsy(turn, request):
        if turn == 0:
            return [("call", "no_such_tool", {"a": 1}),
                    ("call", "exec_command", '{"cmd": '),
                    ("call", "exec_command", {"command": "typo"}),
                    ("call", "exec_command", {"cmd": "echo fine"})]
        outputs = [i["output"] for i in request["input"]
                   if i.get("type") == "function_call_output"]
        assert len(outputs) == 4
        return [("text", "\n@@\n".join(outputs))]

    with FakeModel(clumsy) as model:
        done = skep.run("batch", agent(model.url), tasks(some(1)))
    assert done.status == 0, done.out
    said = lines(done.out)[0]["response"]["output_text"].split("\n@@\n")
    assert "no_such_tool" in said[0]
    assert "fine" in said[3]


def test_several_calls_run_side_by_side_and_answer_in_order(
        skep, agent, tasks):
    def three(turn, request):
        if turn == 0:
            return [("call", "exec_command", {"cmd": f"sleep {s}; echo {s}"})
                    for s in ("0.6", "0.3", "0.01")]
        return [("text", " ".join(
            i["output"].split()[-1] for i in request["input"]
            if i.get("type") == "function_call_output"))]

    with FakeModel(three) as model:
        done = skep.run("batch", agent(model.url), tasks(some(1)), "-j", "4")
    r = lines(done.out)[0]
    assert r["response"]["output_text"] == "0.6 0.3 0.01"
    assert r["timing"]["tools_seconds"] < 0.9


def test_outputs_are_collected_with_their_digests(skep, agent, tasks):
    def write(turn, request):
        if turn == 0:
            return [("call", "exec_command", {
                "cmd": "mkdir -p output/sub && printf one > output/a.txt && "
                       "printf two > output/sub/b && ln -s /etc/passwd "
                       "output/link"})]
        return [("text", "written")]

    with FakeModel(write) as model:
        done = skep.run("batch", agent(model.url, outputs=["output/"]),
                        tasks(some(2)), "--state", skep.state)
    assert done.status == 0, done.out
    for r in lines(done.out):
        assert sorted((o["path"], o["bytes"]) for o in r["outputs"]) == \
            [("output/a.txt", 3), ("output/sub/b", 3)]
        folder = skep.state / "runs" / r["run_id"] / "outputs"
        assert (folder / "output/a.txt").read_text() == "one"
        assert not (folder / "output/link").exists()


def test_a_missing_output_fails_the_run(skep, agent, tasks):
    with FakeModel(lambda t, r: [("text", "did nothing")]) as model:
        done = skep.run("batch", agent(model.url, outputs=["report.md"]),
                        tasks(some(1)))
    assert done.status == 1
    r = lines(done.out)[0]
    assert r["error"]["code"] == "output_missing"
    assert "report.md" in r["error"]["message"]


def test_variables_reach_input_instructions_and_manifest(
        skep, agent, tasks):
    (skep.home / "records").mkdir()
    (skep.home / "records/t7.txt").write_text("record seven")

    def look(turn, request):
        if turn == 0:
            return [("call", "exec_command", {"cmd": "cat record.txt"})]
        return [("text", last_output(request) + request["instructions"] +
                 input_text(request))]

    with FakeModel(look) as model:
        done = skep.run("batch", agent(
            model.url, instructions="Be ${variables.tone}.",
            variables={"tone": "kind"},
            manifest={"entries": {"record.txt": {
                "type": "local_file", "src": "records/${custom_id}.txt"}}}),
            tasks([{"custom_id": "t7",
                    "input": "Read ${custom_id} in ${variables.tongue}",
                    "variables": {"tongue": "German"}},
                   {"custom_id": "t8", "input": "echo ${HOME}"}]))
    results = by_id(lines(done.out))
    said = results["t7"]["response"]["output_text"]
    assert "record seven" in said and "Be kind." in said
    assert "Read t7 in German" in said
    assert results["t8"]["error"]["code"] == "manifest"  # no such record


def test_a_cancelled_run_says_so_and_others_go_on(skep, agent, tasks):
    over = threading.Event()

    def slow(turn, request):
        if input_text(request) == "task 0":
            over.wait(20)
        return [("text", "x")]

    with FakeModel(slow) as model:
        p = skep.start("batch", agent(model.url), tasks(some(3)),
                       "--state", skep.state)
        found = wait_until(lambda: [
            r for r in lines(skep.run("ps", "--json", "--state",
                                      skep.state).out or "")
            if r.get("custom_id") == "t0" and r["status"] == "model"])
        assert found
        done = skep.run("cancel", "t0", "--state", skep.state)
        assert done.status == 0, done.err
        out, err = p.communicate(timeout=20)
        over.set()
        assert p.returncode == 1
        results = by_id(lines(out.decode()))
        assert results["t0"]["status"] == "cancelled"
        assert results["t0"]["error"]["code"] == "cancelled"
        assert results["t1"]["status"] == "finished"
        done = skep.run("cancel", "t0", "--state", skep.state)
        assert done.status != 0 and "ended" in done.err
        done = skep.run("cancel", "nobody", "--state", skep.state)
        assert done.status == 66


def test_model_errors_have_codes(skep, agent, tasks):
    for status, code in ((401, "model_auth"), (400, "model_rejected")):
        with FakeModel(lambda t, r, s=status: s) as model:
            done = skep.run("batch", agent(model.url), tasks(some(1)),
                            "--state", skep.home / f"s{status}")
            assert len(model.requests) == 1
        assert done.status == 1
        assert lines(done.out)[0]["error"]["code"] == code
    done = skep.run("batch", agent(
        "http://127.0.0.1:9/v1",
        model={"retry": {"attempts": 2, "base_ms": 1}}), tasks(some(1)))
    r = lines(done.out)[0]
    assert r["error"]["code"] == "model_unreachable"
    assert "127.0.0.1:9" in r["error"]["message"]
