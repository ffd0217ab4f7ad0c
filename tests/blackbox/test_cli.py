"""The command line itself: options, help, mistakes, versions."""

import json
import os
import re

import pytest

COMMANDS = ("run", "batch", "exec", "bench", "doctor", "mock", "check", "ps",
            "show", "log", "cancel")


def test_nothing_to_do_is_a_mistake(skep):
    done = skep.run()
    assert done.status == 64
    assert "skep --help" in done.err
    assert done.out == ""


@pytest.mark.parametrize("word,says", [
    ("bacth", "did you mean 'batch'?"),
    ("chekc", "did you mean 'check'?"),
    ("qwertyuiop", "there is no command 'qwertyuiop'"),
    ("--vresion", "--vresion"),
    ("\x1b[31mred", "there is no command"),
])
def test_an_unknown_command_is_named_and_harmless(skep, word, says):
    done = skep.run(word)
    assert done.status == 64
    assert says in done.err
    assert "\x1b" not in done.err


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(skep, command):
    done = skep.run(command, "--help")
    assert done.status == 0
    assert done.err == ""
    assert done.out.startswith(f"usage: skep {command} ")
    assert all(len(line) <= 80 and line == line.rstrip()
               for line in done.out.splitlines())
    assert "Options:\n\n" not in done.out
    for common in ("--state", "--json", "-q, --quiet", "-v, --verbose", "-c,"):
        assert common in done.out
    # Help wins over what else is wrong with the line.
    assert skep.run(command, "-h").out == done.out
    assert skep.run("help", command).out == done.out


def test_the_help_of_exec_tells_where_the_limits_are(skep):
    text = " ".join(skep.run("exec", "--help").out.split())
    words = re.search(r"'skep (check --kind profile [^']*)' prints", text)[1]
    limits = json.loads(skep.run(*words.split()).out)["effective"]["limits"]
    assert limits["memory"] > 0


def test_help_lists_every_command(skep):
    done = skep.run("--help")
    assert skep.run("help").out == skep.run("-h").out == done.out
    assert skep.run("help", "nosuch").status == 64
    assert done.status == 0
    for command in COMMANDS:
        assert re.search(rf"^  {command} ", done.out, re.M)


def test_version(skep):
    done = skep.run("--version")
    assert done.status == 0
    assert re.fullmatch(r"skep \d+\.\d+\.\d+\n", done.out)
    version = json.loads(skep.run("--version", "--json").out)
    assert done.out == f"skep {version['skep']}\n"
    libraries = version["libraries"]
    for name in ("libev", "mbedtls", "jsmn", "c-ares", "nghttp2", "sqlite",
                 "libseccomp"):
        assert re.match(r"\d+\.\d+", libraries[name]), name


@pytest.mark.parametrize("words,says", [
    (["check", "--knid", "json", "x"], "did you mean '--kind'?"),
    (["check", "--kind"], "--kind needs a value"),
    (["check", "--kind", "jsno", "x"], "not 'jsno'"),
    (["check", "--effective=1", "x"], "takes no value"),
    (["check", "-Z", "x"], "there is no option '-Z'"),
    (["exec", "--mem", "64X", "true"], "a size such as 64M"),
    (["exec", "--mem=-1", "true"], "a size such as 64M"),
    (["exec", "--timeout", "5 days", "true"], "a time such as"),
    (["exec", "--pids", "many", "true"], "a whole number"),
    (["exec", "--cpus", "1.5.2", "true"], "a number such as"),
    (["exec"], "too few arguments"),
    (["batch", "a"], "too few arguments"),
    (["batch", "a", "b", "c"], "'c' is one argument too many"),
    (["batch", "a", "b", "-j", "0.5"], "a whole number"),
    (["batch", "a", "b", "-j"], "-j needs a value"),
    (["check", "-c", "novalue", "x"], "KEY=VALUE"),
])
def test_a_wrong_option_is_explained(skep, words, says):
    done = skep.run(*words)
    assert done.status == 64, done
    assert says in done.err
    assert done.out == ""


@pytest.mark.parametrize("words", [
    ["check", "--json", "--knid", "x"],
    ["check", "--knid", "x", "--json"],
    ["--json", "nosuch"],
    ["exec", "--json", "--mem", "x", "true"],
])
def test_with_json_mistakes_are_objects_too(skep, words):
    done = skep.run(*words)
    assert done.status == 64
    assert done.err == ""
    error = json.loads(done.out)["error"]
    assert error["code"] == "usage"
    assert error["message"]


def test_values_come_either_way_and_two_dashes_end_options(skep):
    (skep.home / "--kind").write_text("{}")
    (skep.home / "x").write_text("{}")
    for words in (["--kind", "json", "x"], ["--kind=json", "x"],
                  ["x", "--kind=json"], ["--kind", "json", "--", "--kind"]):
        assert skep.run("check", *words).status == 0, words
    assert skep.run("check", "--kind=policy", "--kind=json", "x").status == 0


def test_a_command_of_exec_keeps_its_own_options(skep):
    done = skep.exec("--json", "echo", "--json", "-x", "--", "y")
    assert json.loads(done.out)["stdout"] == "--json -x -- y\n"


@pytest.mark.parametrize("closed", [0, 1, 2])
def test_a_closed_standard_stream_is_survived(skep, closed):
    (skep.home / "x").write_text("{")

    def close():
        os.close(closed)

    # pylint: disable=subprocess-popen-preexec-fn
    done = skep.run("check", "--kind", "json", "x", preexec_fn=close)
    assert done.status == 65


def test_results_that_nobody_reads_are_an_error(skep):
    with open("/dev/full", "wb") as full:
        done = skep.run("--version", stdout=full)
    assert done.status == 74
    assert "standard output" in done.err
    read, write = os.pipe()
    os.close(read)
    done = skep.run("check", "--schema", "agent", stdout=write)
    os.close(write)
    assert done.status == 74


def test_check_touches_no_state(skep):
    (skep.home / "x").write_text("{}")
    assert skep.run("check", "--kind", "json", "x").status == 0
    assert sorted(p.name for p in skep.home.iterdir()) == ["x"]


def test_schemas_are_written_by_the_build_as_the_binary_prints_them(skep):
    for kind in ("agent", "manifest", "profile", "tasks", "settings", "mock"):
        schema = json.loads(skep.run("check", "--schema", kind).out)
        assert schema["additionalProperties"] is False
        assert schema["type"] == "object"
        for member in schema["properties"].values():
            assert "description" in member
