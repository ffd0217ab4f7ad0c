"""Fixtures of the black-box tests.

They drive the real binary (SKEP, else ./skep) and know nothing of its inside.
Every test has a home, a state directory and a TMPDIR of its own, and fails
when a process, mount, cgroup, network namespace or temporary file of skep
outlives it.

    @pytest.mark.root        skipped, by name and counted, unless root
    @pytest.mark.user        skipped, by name and counted, when root
    @pytest.mark.limit(300)  seconds a test may take; default 120
"""

import collections
import json
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import time
import urllib.request
import ssl

import pytest

import hostile as hostile_module
import leaks as leaks_module

REPO = pathlib.Path(__file__).resolve().parents[2]
SKEP = pathlib.Path(os.environ.get("SKEP", REPO / "skep")).resolve()
ATTACK = pathlib.Path(os.environ.get(
    "ATTACK", REPO / "build/release/tests/attack")).resolve()
GONE_WITHIN_SECONDS = 3

Done = collections.namedtuple("Done", "status out err")


def pytest_configure(config):
    for line in ("root: needs uid 0", "user: needs to be somebody else",
                 "limit(seconds): the longest it may take"):
        config.addinivalue_line("markers", line)
    leaks_module.become_subreaper()
    # Signals that our caller ignores would be ignored by all we start.
    for signo in (signal.SIGHUP, signal.SIGQUIT):
        signal.signal(signo, signal.SIG_DFL)


def pytest_collection_modifyitems(items):
    root = os.geteuid() == 0
    for item in items:
        if item.get_closest_marker("root") and not root:
            item.add_marker(pytest.mark.skip(reason="needs root"))
        if item.get_closest_marker("user") and root:
            item.add_marker(pytest.mark.skip(reason="needs not to be root"))


def pytest_terminal_summary(terminalreporter):
    skipped = terminalreporter.stats.get("skipped", [])
    for report in skipped:
        reason = report.longrepr
        if isinstance(reason, tuple):
            reason = reason[2].removeprefix("Skipped: ")
        terminalreporter.write_line(f"skipped: {report.nodeid}: {reason}")
    if skipped:
        terminalreporter.write_line(f"{len(skipped)} skipped, named above")


@pytest.fixture(autouse=True)
def deadline(request):
    """A test that hangs fails, and its clean-up still runs."""
    marker = request.node.get_closest_marker("limit")
    seconds = marker.args[0] if marker else 120

    def too_long(signo, frame):
        raise TimeoutError(f"test took longer than {seconds} s")

    before = signal.signal(signal.SIGALRM, too_long)
    signal.alarm(seconds)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.fixture
def place():
    """A folder of the test's own that every user may enter."""
    path = pathlib.Path(tempfile.mkdtemp(prefix="blackbox-"))
    path.chmod(0o755)
    for name in ("home", "tmp"):
        (path / name).mkdir()
        (path / name).chmod(0o1777)
    yield path
    # A test may have made folders that even their owner cannot enter.
    if shutil.rmtree(path, ignore_errors=True) or path.exists():
        subprocess.run(["chmod", "-R", "u+rwx", path], check=False)
        shutil.rmtree(path)


@pytest.fixture(autouse=True)
def leaks(place, deadline):
    """Fails the test that leaves something; leaks.now() lists it earlier."""
    before = leaks_module.Snapshot([str(place / "tmp")])

    class Leaks:
        @staticmethod
        def now():
            return leaks_module.difference(before)

        @staticmethod
        def settle(seconds=GONE_WITHIN_SECONDS):
            return leaks_module.settle(before, seconds)

    yield Leaks
    left = leaks_module.settle(before, GONE_WITHIN_SECONDS)
    leaks_module.kill_rest(before)
    assert not left, "left behind:\n  " + "\n  ".join(left)


class Skep:
    """The binary and the folders of one test."""

    def __init__(self, place):
        self.path = str(SKEP)
        self.place = place
        self.home = place / "home"
        self.state = self.home / "state"
        self.env = {
            "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:"
                    "/sbin:/bin",
            "HOME": str(self.home), "TMPDIR": str(place / "tmp"),
            "XDG_STATE_HOME": str(self.home / ".local/state"),
            "LANG": "C.UTF-8", "TERM": "dumb",
        }
        for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS"):
            if name in os.environ:
                self.env[name] = os.environ[name]
        self.started = []

    def words(self, args):
        return [self.path, *map(str, args)]

    def start(self, *args, env=None, **options):
        """A Popen in the background; stopped at the end of the test."""
        options.setdefault("stdin", subprocess.DEVNULL)
        options.setdefault("stdout", subprocess.PIPE)
        options.setdefault("stderr", subprocess.PIPE)
        options.setdefault("cwd", self.home)
        p = subprocess.Popen(self.words(args), env=self.env | (env or {}),
                             **options)
        self.started.append(p)
        return p

    def run(self, *args, input=None, env=None, timeout=100, raw=False,
            **options):
        """Run to the end: Done(status, out, err), text unless raw."""
        if isinstance(input, str):
            input = input.encode()
        if input is not None:
            options["stdin"] = subprocess.PIPE
        p = self.start(*args, env=env, **options)
        try:
            out, err = p.communicate(input, timeout)
        except subprocess.TimeoutExpired:
            p.kill()
            out, err = p.communicate()
            raise AssertionError(
                f"{args} took longer than {timeout} s: {err!r}") from None
        if not raw:
            out = out.decode(errors="replace") if out is not None else None
            err = err.decode(errors="replace") if err is not None else None
        return Done(p.returncode, out, err)

    def exec(self, *args, **options):
        return self.run("exec", *args, **options)

    def stop_all(self):
        for p in self.started:
            if p.poll() is None:
                p.terminate()
        for p in self.started:
            try:
                p.wait(0.5)
            except subprocess.TimeoutExpired:
                p.terminate()  # the second one stops at once
            try:
                p.wait(10)
            except subprocess.TimeoutExpired:
                p.kill()
                p.wait()
            for stream in (p.stdin, p.stdout, p.stderr):
                if stream:
                    try:
                        stream.close()
                    except OSError:
                        pass


@pytest.fixture
def skep(place, leaks):
    if not SKEP.exists():
        pytest.fail(f"{SKEP} does not exist; make")
    s = Skep(place)
    yield s
    s.stop_all()


class Mock:
    """A running `skep mock`."""

    def __init__(self, skep, script, *options):
        path = skep.place / f"mock-{len(skep.started)}.json"
        if isinstance(script, (dict, list)):
            path.write_text(json.dumps(script))
        else:
            path = pathlib.Path(script)
        self.process = skep.start("mock", path, "--until-eof", *options,
                                  stdin=subprocess.PIPE)
        line = self.process.stdout.readline()
        if not line:
            raise AssertionError("the mock did not start: "
                                 f"{self.process.stderr.read().decode()}")
        ready = json.loads(line)
        self.url, self.pid = ready["url"], ready["pid"]
        self.ca_file = ready.get("ca_file")

    def get(self, path):
        root = self.url.removesuffix("/v1")
        trust = ssl.create_default_context(cafile=self.ca_file) \
            if self.ca_file else None
        with urllib.request.urlopen(root + path, context=trust) as answer:
            return json.load(answer)

    def stats(self):
        return self.get("/stats")

    def stop(self):
        self.process.stdin.close()
        return self.process.wait(10)


@pytest.fixture
def mock(skep):
    """mock(script, "--tls", ...) starts one; script is a dict or a path."""
    def start(script, *options):
        return Mock(skep, script, *options)
    return start


@pytest.fixture
def hostile():
    """hostile(play, tls=None) starts a server of hostile.py."""
    servers = []

    def start(play, tls=None):
        servers.append(hostile_module.Hostile(play, tls))
        return servers[-1]

    yield start
    failures = []
    for server in servers:
        server.close()
        failures += server.failures
    assert not failures, failures


@pytest.fixture
def agent(skep):
    """agent(url_or_mock, **keys) writes an agent file and gives its path.

    Keys replace those of the file; `model` is merged into the model's.
    """
    written = []

    def write(server, *, model=None, folder=None, **keys):
        name = "agent.json" if folder else f"agent-{len(written)}.json"
        folder = pathlib.Path(folder or skep.home)
        folder.mkdir(exist_ok=True)
        endpoint = {"api": "responses", "name": "scripted"}
        if isinstance(server, Mock):
            endpoint["base_url"] = server.url
            if server.ca_file:
                endpoint["ca_file"] = server.ca_file
        else:
            endpoint["base_url"] = server
        content = {"name": "test", "model": endpoint | (model or {}),
                   "instructions": "Do as the task says.",
                   "tools": ["exec_command"]} | keys
        written.append(folder / name)
        written[-1].write_text(json.dumps(content, indent=1))
        return written[-1]
    return write


@pytest.fixture
def tasks(skep):
    """tasks([{...} or text, ...]) writes a task file and gives its path."""
    def write(lines, name="tasks.jsonl"):
        path = skep.home / name
        path.write_text("".join(
            (line if isinstance(line, str) else json.dumps(line)) + "\n"
            for line in lines))
        return path
    return write


@pytest.fixture
def attack():
    """attack(name) is the path of a program of tests/attack."""
    def find(name):
        path = ATTACK / name
        if not path.exists():
            pytest.fail(f"{path} does not exist; make blackbox builds it")
        return path
    return find


def wait_until(condition, seconds=10, step=0.02):
    """Poll; the condition's last value."""
    end = time.monotonic() + seconds
    while not (value := condition()) and time.monotonic() < end:
        time.sleep(step)
    return value


class Batch(collections.namedtuple("Batch", "status results err")):
    """A batch that ended: exit status, result lines, standard error."""

    def of(self, custom_id):
        found = [r for r in self.results if r["custom_id"] == custom_id]
        assert len(found) == 1, (custom_id, self)
        return found[0]

    def codes(self):
        """custom_id -> "finished" or the error's code."""
        return {r["custom_id"]: r["error"]["code"] if r["error"] else
                r["status"] for r in self.results}


@pytest.fixture
def batch(skep):
    """batch(agent, tasks, *options) runs one on the test's state."""
    def run(agent_file, task_file, *options, **more):
        done = skep.run("batch", agent_file, task_file, "--state", skep.state,
                        *options, **more)
        lines = done.out.splitlines() if done.out else []
        return Batch(done.status, [json.loads(line) for line in lines],
                     done.err)
    return run


def say(text, **rule):
    """A mock rule that answers with text."""
    return {"when": {}, "reply": [{"text": text}]} | rule


def tool(name, turn=None, /, **arguments):
    """A mock rule that calls one tool."""
    return {"when": {} if turn is None else {"turn": turn},
            "reply": [{"tool": name, "arguments": arguments}]}


def script(*rules):
    return {"models": ["scripted"], "rules": list(rules)}
