"""skep doctor: facts of the host, and what each profile makes of them."""

import json
import os
import subprocess

import pytest

from test_escape import ROOT, SOMEBODY, WHO, reachable

KNOWN = {"enforced", "degraded", "refused"}


@pytest.fixture(params=WHO)
def doctor(request, skep):
    prefix = SOMEBODY if request.param == "uid1000" else []
    if prefix:
        reachable(skep)

    def run(*args, prefix=prefix, tail=()):
        return subprocess.run(
            [*prefix, *skep.words(["doctor", *args]), *tail], env=skep.env,
            text=True, capture_output=True, timeout=60)
    run.root = request.param == "root"
    return run


def test_what_it_says_is_what_happens(doctor, skep):
    """A profile it calls refused refuses, any other one runs."""
    r = doctor("--json")
    report = json.loads(r.stdout)
    assert report["host"]["sandbox_built"] is True
    assert report["host"]["root"] is doctor.root
    names = [p["name"] for p in report["profiles"]]
    assert names == ["draft", "delivery", "privileged", "bare"]
    for p in report["profiles"]:
        assert p["state"] in KNOWN
        prefix = [] if doctor.root or not ROOT else SOMEBODY
        ran = subprocess.run(
            [*prefix, skep.path, "exec", "--profile", p["name"], "--json",
             "true"], env=skep.env, capture_output=True, text=True)
        assert (ran.returncode == 125) == (p["state"] == "refused"), p
        if p["state"] != "refused":
            sandbox = json.loads(ran.stdout)["sandbox"]
            assert sandbox["cgroup"] == report["host"]["cgroup"]
            assert sandbox["landlock"] == report["host"]["landlock"]
        for f in p["findings"]:
            assert f["state"] in KNOWN
            assert (f["mend"] is None) == (f["state"] == "enforced"), f


def test_for_people(doctor):
    r = doctor()
    assert r.returncode == 0 and "control groups" in r.stdout
    for word in ("draft:", "delivery:", "seccomp", "landlock"):
        assert word in r.stdout
    if not doctor.root:
        assert "mend:" in r.stdout


def test_one_profile(doctor):
    r = doctor("--profile", "delivery", "--json")
    (profile,) = json.loads(r.stdout)["profiles"]
    assert profile["name"] == "delivery"
    assert r.returncode == (69 if profile["state"] == "refused" else 0)
    assert doctor("--profile", "nosuch").returncode == 78
    assert doctor("operand").returncode == 64


@pytest.mark.root
def test_a_host_without_user_namespaces(skep):
    """Seen from inside a namespace where none can be made."""
    script = ("echo 0 > /proc/sys/user/max_user_namespaces; "
              "exec \"$0\" doctor --json")
    r = subprocess.run(
        ["unshare", "--user", "--map-root-user", "sh", "-c", script,
         skep.path], env=skep.env, capture_output=True, text=True)
    report = json.loads(r.stdout)
    assert r.returncode == 69
    assert report["host"]["sandbox_built"] is False
    assert report["host"]["sandbox_why"]
    first = report["profiles"][0]["findings"][0]
    assert first["state"] == "refused"
    assert first["mend"] == "sysctl -w user.max_user_namespaces=15000"
    ran = subprocess.run(
        ["unshare", "--user", "--map-root-user", "sh", "-c",
         script.replace("doctor --json", "exec --json true"), skep.path],
        env=skep.env, capture_output=True, text=True)
    assert ran.returncode == 125
    assert json.loads(ran.stdout)["verdict"] == "lost"


def test_layers_are_tried_and_nothing_is_left(skep):
    report = json.loads(skep.run("doctor", "--json").out)
    assert report["host"]["layered"] is True, report["host"]["layered_why"]
    assert "layered           yes" in skep.run("doctor").out
