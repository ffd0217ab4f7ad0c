"""answer_schema: the final answer of an agent that promised its form."""

import json

import pytest

from conftest import say, script, tool
from fake_model import FakeModel

SCHEMA = {
    "type": "object",
    "properties": {
        "lines": {"type": "integer", "minimum": 0},
        "names": {"type": "array", "items": {"type": "string"}},
        "note": {"anyOf": [{"type": "string"}, {"type": "null"}]},
    },
    "required": ["lines", "names"],
    "additionalProperties": False,
}


def result_of(done):
    return json.loads(done.out.splitlines()[-1])["result"]


@pytest.mark.parametrize("api", ["responses", "chat", "messages"])
def test_an_answer_that_fits_is_given_as_it_came(skep, mock, agent, api):
    answer = '{"lines": 3, "names": ["a", "b"], "note": null}'
    server = mock(script(tool("exec_command", 0, cmd="echo one"), say(answer)))
    done = skep.run("run", agent(server, model={"api": api},
                                 answer_schema=SCHEMA), "count")
    assert done.status == 0, done.err
    assert done.out == answer + "\n"


@pytest.mark.parametrize("answer, why", [
    ('{"lines": -1, "names": []}', "lines: expected a number of at least 0"),
    ('{"lines": 1, "names": ["a", 7]}', "names[1]: expected \"string\""),
    ('{"lines": 1}', '"names" is missing'),
    ('{"lines": 1, "names": [], "more": 1}', "more: the schema allows no"),
    ('There are three lines.', "line 1, column 1, is no JSON"),
    ('{"lines": 1, "names": []} I hope this helps', "is no JSON"),
])
def test_an_answer_that_does_not_fit_is_a_failure(skep, mock, agent, answer,
                                                  why):
    server = mock(script(say(answer)))
    done = skep.run("run", agent(server, answer_schema=SCHEMA), "count",
                    "--json")
    assert done.status == 1
    error = result_of(done)["error"]
    assert error["code"] == "model_incomplete"
    assert "answer_schema" in error["message"]
    assert why in error["message"]


def test_the_schema_is_sent_with_every_request(skep, agent):
    def answer(turn, request):
        return [("text", '{"lines":1,"names":[]}')] if turn else [
            ("call", "exec_command", {"cmd": "true"})]

    with FakeModel(answer) as model:
        done = skep.run("run", agent(model.url, answer_schema=SCHEMA), "go")
        assert done.status == 0, done.err
        assert len(model.requests) == 2
        for request in model.requests:
            form = request["text"]["format"]
            assert form["type"] == "json_schema" and form["strict"] is True
            assert form["schema"] == SCHEMA


@pytest.mark.parametrize("schema, why", [
    ({"not": {}}, "not: this schema keyword is not supported"),
    ({"type": "object", "properties": {"a": {"$ref": "#/$defs/b"}}},
     "properties.a.$ref: a $ref to something that is not in this schema"),
    ([], "object"),
])
def test_a_schema_that_cannot_be_enforced_is_refused(skep, agent, schema, why):
    path = agent("http://127.0.0.1:1/v1", answer_schema=schema)
    done = skep.run("run", path, "go")
    assert done.status == 78 and why in done.err
    done = skep.run("check", path)
    assert done.status == 65 and why in done.out + done.err
