"""Logins at tool servers: where tokens are kept, how they are renewed, and
where they do not go."""

import json
import stat
import urllib.error
import urllib.parse
import urllib.request

import pytest

from conftest import say, script, tool

TOOLS = [{"name": "do", "inputSchema": {"type": "object"}}]


class Issuer:
    """A tool server and the issuer of its tokens at one address."""

    def __init__(self, hostile, **metadata):
        self.asked, self.heads, self.good = [], [], "token-1"
        self.metadata = metadata
        self.root = hostile(self.play).url.removesuffix("/v1")
        self.url = self.root + "/mcp"

    def play(self, conn):
        while (asked := conn.read_request()) is not None:
            head, body = asked
            method, target, _ = head.split("\r\n")[0].split(" ")
            self.heads.append(head)
            path, _, query = target.partition("?")
            name = "do_" + path.strip("/.").replace("/", "_").replace(
                ".", "_").replace("-", "_")
            getattr(self, name, self.nothing)(conn, head, body, query)

    def nothing(self, conn, head, body, query):
        conn.answer(404)

    def say(self, conn, what, status=200, **fields):
        conn.answer(status, json.dumps(what), **fields)

    def do_well_known_oauth_protected_resource_mcp(self, conn, *_):
        self.say(conn, {"resource": self.url,
                        "authorization_servers": [self.root],
                        "scopes_supported": ["use"]})

    def do_well_known_oauth_authorization_server(self, conn, *_):
        self.say(conn, {
            "issuer": self.root, "token_endpoint": self.root + "/token",
            "authorization_endpoint": self.root + "/authorize",
            "registration_endpoint": self.root + "/register",
            "code_challenge_methods_supported": ["S256"],
            "token_endpoint_auth_methods_supported": ["none"],
            } | self.metadata)

    def do_register(self, conn, head, body, query):
        self.say(conn, {"client_id": "client-7"} | json.loads(body), 201)

    def do_authorize(self, conn, head, body, query):
        q = dict(urllib.parse.parse_qsl(query))
        conn.answer(302, "", location=q["redirect_uri"] + "?"
                    + urllib.parse.urlencode({"code": "c0de",
                                              "state": q["state"]}))

    def do_token(self, conn, head, body, query):
        form = dict(urllib.parse.parse_qsl(body.decode()))
        self.asked.append(form)
        self.say(conn, {"access_token": self.good, "token_type": "Bearer",
                        "expires_in": 60, "refresh_token": "again-1"})

    def do_mcp(self, conn, head, body, query):
        if f"Bearer {self.good}" not in head:
            conn.answer(401, "", www_authenticate="Bearer")
            return
        message = json.loads(body) if body else {}
        if message.get("method") == "initialize":
            result = {"protocolVersion": "2025-06-18", "capabilities": {
                "tools": {}}, "serverInfo": {"name": "i", "version": "1"}}
        elif message.get("method") == "tools/list":
            result = {"tools": TOOLS}
        elif message.get("method") == "tools/call":
            result = {"content": [{"type": "text", "text": "done"}]}
        elif "id" in message:
            conn.answer(400)
            return
        else:
            conn.answer(202)
            return
        self.say(conn, {"jsonrpc": "2.0", "id": message["id"],
                        "result": result})


@pytest.fixture
def login(skep):
    """login(agent): the exit status, and what was said."""
    def run(path, browse=True):
        p = skep.start("servers", path, "login", "s", "--json")
        line = p.stdout.readline()
        if line and browse and "url" in json.loads(line):
            try:
                urllib.request.urlopen(json.loads(line)["url"]).read()
            except urllib.error.HTTPError as e:
                e.close()
        out, err = p.communicate(timeout=60)
        return p.returncode, (line + out).decode() + err.decode()
    return run


@pytest.fixture
def client(skep, mock, agent):
    def make(issuer, **keys):
        return agent(mock(script(tool("s__do", 0), say("${last_output}"))),
                     tools=[], mcp_servers={"s": {"url": issuer.url} | keys})
    return make


def tokens(skep):
    return skep.home / ".local/state/skep/mcp/tokens.json"


def test_a_login_is_kept_for_its_user_only(skep, hostile, client, login):
    issuer = Issuer(hostile)
    path = client(issuer)
    assert login(path)[0] == 0
    assert stat.S_IMODE(tokens(skep).stat().st_mode) == 0o600
    assert stat.S_IMODE(tokens(skep).parent.stat().st_mode) == 0o700
    form = issuer.asked[0]
    assert form["resource"] == issuer.url and form["code"] == "c0de"
    assert len(form["code_verifier"]) >= 43
    done = skep.run("run", path, "go", "--json")
    assert '"output":"done"' in done.out
    assert "token-1" not in done.out + done.err
    shown = skep.run("servers", path)
    assert shown.status == 0 and "token-1" not in shown.out + shown.err


def test_a_token_that_ran_out_is_refreshed(skep, hostile, client, login):
    issuer = Issuer(hostile)
    path = client(issuer)
    assert login(path)[0] == 0
    issuer.good = "token-2"
    assert skep.run("run", path, "go").out == "done\n"
    assert issuer.asked[-1]["grant_type"] == "refresh_token"
    assert issuer.asked[-1]["refresh_token"] == "again-1"
    assert issuer.asked[-1]["resource"] == issuer.url
    asked = len(issuer.asked)
    assert skep.run("run", path, "go").out == "done\n"
    assert len(issuer.asked) == asked, "the new one is kept"


def test_a_refresh_that_fails_is_not_tried_for_ever(
        skep, hostile, client, login):
    issuer = Issuer(hostile)
    path = client(issuer)
    assert login(path)[0] == 0
    asked = len(issuer.asked)
    issuer.do_token = lambda conn, head, body, query: (
        issuer.asked.append(1), issuer.say(conn, {
            "error": "invalid_grant", "error_description": "gone"}, 400))
    issuer.good = "token-2"
    done = skep.run("run", path, "go")
    assert done.status != 0 and "invalid_grant: gone" in done.err
    assert len(issuer.asked) == asked + 1


def test_after_a_logout_nothing_is_left(skep, hostile, client, login):
    issuer = Issuer(hostile)
    path = client(issuer)
    assert login(path)[0] == 0
    assert skep.run("servers", path, "logout", "s").status == 0
    assert b"token-1" not in tokens(skep).read_bytes()
    assert "skep servers AGENT login s" in skep.run("run", path, "go").err


def test_a_token_goes_to_no_other_address(skep, hostile, client, login):
    issuer, thief = Issuer(hostile), []

    def steal(conn):
        thief.append(conn.read_request())

    path = client(issuer)
    assert login(path)[0] == 0
    other = hostile(steal)
    issuer.do_mcp = lambda conn, *_: conn.answer(
        307, "", location=other.url + "/mcp")
    assert skep.run("run", path, "go").status != 0
    content = json.loads(path.read_text())
    content["mcp_servers"]["s"]["url"] = other.url + "/mcp"
    path.write_text(json.dumps(content))
    assert skep.run("run", path, "go").status != 0
    assert "token-1" not in json.dumps([str(t) for t in thief])


@pytest.mark.parametrize("metadata, words", [
    ({"issuer": "https://elsewhere.example"}, "another name"),
    ({"code_challenge_methods_supported": ["plain"]}, "PKCE"),
    ({"authorization_response_iss_parameter_supported": True},
     "without the name of the issuer"),
    ({"registration_endpoint": None}, "registers nobody"),
    ({"token_endpoint": "http://192.0.2.1/token"}, "http"),
])
def test_issuers_that_cannot_be_believed(
        skep, hostile, client, login, metadata, words):
    issuer = Issuer(hostile, **metadata)
    status, said = login(client(issuer))
    assert status != 0 and words in said
    assert not tokens(skep).exists()


def test_a_stranger_cannot_answer_for_the_browser(
        skep, hostile, client, login):
    issuer = Issuer(hostile)
    issuer.do_authorize = lambda conn, head, body, query: conn.answer(
        302, "", location=dict(urllib.parse.parse_qsl(query))[
            "redirect_uri"] + "?code=evil&state=guessed")
    status, said = login(client(issuer))
    assert status != 0 and "another state" in said
    assert not issuer.asked
