"""What an agent may say about the way to its model: pins, a proxy."""

import base64
import hashlib
import socket
import subprocess
import threading

import pytest

from conftest import say, script

TASK = [{"custom_id": "a", "input": "x"}]
ONCE = {"retry": {"attempts": 1}}


def pin_of(certificate):
    """As the README says to make one: openssl, then base64."""
    key = subprocess.run(
        ["openssl", "x509", "-in", certificate, "-pubkey", "-noout"],
        check=True, capture_output=True).stdout
    der = subprocess.run(["openssl", "pkey", "-pubin", "-outform", "der"],
                         input=key, check=True, capture_output=True).stdout
    return "sha256//" + base64.b64encode(hashlib.sha256(der).digest()).decode()


OTHER = "sha256//" + base64.b64encode(bytes(32)).decode()


@pytest.mark.parametrize("pins, expected", [
    ("right", "finished"), ("second", "finished"), ("other", "model_tls")])
def test_a_pinned_key_must_be_in_the_chain(batch, agent, mock, tasks, pins,
                                           expected):
    server = mock(script(say("Done.")), "--tls")
    right = pin_of(server.ca_file)  # the authority's, which is in the chain
    pins = {"right": [right], "second": [OTHER, right], "other": [OTHER]}[pins]
    done = batch(agent(server, model=ONCE | {"pins": pins}), tasks(TASK))
    assert done.codes() == {"a": expected}
    if expected != "finished":
        assert "pinned" in done.of("a")["error"]["message"]


@pytest.mark.parametrize("pins, said", [
    (["sha256//short="], "44 characters"), (["md5//" + "A" * 44], "sha256"),
    ([OTHER] * 5, "at most 4"), ("sha256", "")])
def test_a_pin_that_is_none_is_refused(skep, agent, tasks, pins, said):
    file = agent("https://127.0.0.1:1/v1", model={"pins": pins})
    done = skep.run("check", file)
    assert done.status == 65 and said in done.err
    assert skep.run("batch", file, tasks(TASK), "--state",
                    skep.state).status == 78


class Proxy:
    """A CONNECT proxy that writes down where to."""

    def __init__(self, hostile):
        self.asked = []
        self.server = hostile(self.play)
        self.url = f"http://127.0.0.1:{self.server.port}"

    def play(self, conn):
        head = b""
        while b"\r\n\r\n" not in head:
            head += conn.sock.recv(4096)
        where = head.split()[1].decode()
        self.asked.append(where)
        host, port = where.rsplit(":", 1)
        there = socket.create_connection((host, int(port)))
        conn.send("HTTP/1.1 200 Fine\r\n\r\n")
        back = threading.Thread(target=self.pump, args=(there, conn.sock),
                                daemon=True)
        back.start()
        self.pump(conn.sock, there)
        back.join()
        there.close()

    @staticmethod
    def pump(source, to):
        try:
            while piece := source.recv(65536):
                to.sendall(piece)
        except OSError:
            pass
        for s in (source, to):
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


def test_a_proxy_of_the_agent_is_used(batch, agent, mock, tasks, hostile):
    server, proxy = mock(script(say("Done.")), "--tls"), Proxy(hostile)
    done = batch(agent(server, model={"proxy": proxy.url}), tasks(TASK),
                 env={"HTTPS_PROXY": "http://127.0.0.1:1"})
    assert done.codes() == {"a": "finished"}
    assert proxy.asked == [server.url.split("/")[2]]


def test_none_means_no_proxy(batch, agent, tasks, hostile):
    """A name that is nobody's: the proxy alone could know it."""
    proxy = Proxy(hostile)
    proxy.server.play = lambda conn: conn.wait_for_end()
    model = {"retry": {"attempts": 1}, "proxy": "none"}
    done = batch(agent("https://nobody.invalid/v1", model=model), tasks(TASK),
                 env={"HTTPS_PROXY": proxy.url})
    assert done.codes() == {"a": "model_unreachable"}
    assert proxy.server.connections == 0
    model["proxy"] = proxy.url
    proxy.server.play = lambda conn: conn.answer(403)
    done = batch(agent("https://nobody.invalid/v1", model=model),
                 tasks([{"custom_id": "b", "input": "x"}], "b.jsonl"))
    assert done.codes() == {"b": "model_unreachable"}
    assert "403" in done.of("b")["error"]["message"]
    assert proxy.server.connections == 1


@pytest.mark.parametrize("proxy, said", [
    ("http://user:secret@host:1", "HTTPS_PROXY"), ("socks5://h:1", "http://"),
    ("", "http://")])
def test_a_proxy_that_is_none_is_refused(skep, agent, proxy, said):
    done = skep.run("check", agent("https://127.0.0.1:1/v1",
                                   model={"proxy": proxy}))
    assert done.status == 65 and said in done.err
    assert "secret" not in done.out + done.err


def test_dns_servers_that_are_none_are_named(skep, agent):
    done = skep.run("run", agent("https://127.0.0.1:1/v1"), "x", "--state",
                    skep.state, "-c", "engine.dns_servers=nonsense")
    assert done.status == 78
    assert "nonsense" in done.err and "ADDRESS[:PORT]" in done.err
