"""Packages of npm that tests use: installed once, from a lock file in
tests/npm, below build/.  Where the registry cannot be reached the test is
skipped, by name."""

import shutil
import subprocess

import pytest

from conftest import REPO

UNREACHABLE = ("ENOTFOUND", "EAI_AGAIN", "ECONNREFUSED", "ETIMEDOUT")


def install(source, place):
    """Install what source (with a lock file) names; place has it."""
    for program in ("node", "npm"):
        assert shutil.which(program), \
            f"{program} is missing: apt-get install nodejs npm"
    lock = (source / "package-lock.json").read_text()
    installed = place / "installed"
    if installed.exists() and installed.read_text() == lock:
        return place
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    for name in ("package.json", "package-lock.json"):
        shutil.copy(source / name, place)
    done = subprocess.run(
        ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund",
         "--cache", place / "cache"],
        cwd=place, capture_output=True, text=True, timeout=300, check=False)
    if done.returncode != 0 and any(
            sign in done.stderr for sign in UNREACHABLE):
        pytest.skip("the npm registry cannot be reached")
    assert done.returncode == 0, done.stderr
    shutil.rmtree(place / "cache", ignore_errors=True)
    installed.write_text(lock)
    return place


@pytest.fixture(scope="session")
def mcp_packages():
    """Tool servers and the conformance suite; beside the clients."""
    return install(REPO / "tests/npm/mcp", REPO / "build/npm-mcp")
