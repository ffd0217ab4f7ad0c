"""skep bench: shapes and counts of its figures, never the figures."""

import json
import os
import signal
import subprocess
import time

import pytest


def bench(skep, *words):
    done = subprocess.run([skep, "bench", "--json", *words],
                          capture_output=True, text=True, timeout=120,
                          check=False)
    lines = done.stdout.splitlines()
    return done.returncode, json.loads(lines[-1]) if lines else None, done


@pytest.fixture(name="skep")
def skep_path():
    return os.environ.get("SKEP", "./skep")


@pytest.mark.parametrize("words, n", [
    (["lifecycle", "-n", "12", "-j", "3"], 12),
    (["fanout", "-n", "10"], 10),
    (["fanout", "-n", "4", "--mode", "sequential"], 4),
    (["fanout", "-n", "4", "--mode", "staggered"], 4),
    (["exec", "-n", "30", "-j", "5"], 30),
    (["hold", "-n", "6", "--seconds", "0.1"], 6),
])
def test_every_one_counts(skep, words, n):
    status, figures, done = bench(skep, *words)
    assert status == 0, done.stderr
    assert figures["name"] == words[0]
    assert figures["n"] == n
    assert figures["ok"] == n
    assert figures["failed"] == 0
    assert figures["p50_ms"] <= figures["p99_ms"] <= figures["max_ms"]
    assert figures["engine_rss_bytes"] > 0
    assert figures["profile"]["digest"].startswith("sha256:")
    assert ("memory_bytes_each" in figures) == (words[0] in ("hold", "fanout"))
    assert ("excludes" in figures) == (words[0] == "exec")


def test_json_counts_answers(skep):
    status, figures, done = bench(skep, "json", "-n", "5")
    assert status == 0, done.stderr
    assert figures["name"] == "json"
    assert figures["n"] == figures["ok"] == 5
    assert figures["bytes_per_s"] > 0
    assert "profile" not in figures
    assert bench(skep, "json", "-n", "0")[0] == 64


def test_net_needs_few_connections(skep):
    status, figures, done = bench(skep, "net", "-n", "200", "-j", "50")
    assert status == 0, done.stderr
    assert figures["n"] == figures["ok"] == 200
    assert figures["concurrency"] == 50
    assert figures["connections"] <= 2
    assert figures["handshakes"] <= 2
    assert bench(skep, "net", "-j", "0")[0] == 64


def test_churn_ends_with_its_time(skep):
    status, figures, done = bench(skep, "churn", "--seconds", "0.5")
    assert status == 0, done.stderr
    assert figures["ok"] == figures["n"] > 0


def test_a_failing_command_is_counted_and_not_measured(skep):
    status, figures, done = bench(skep, "lifecycle", "-n", "4", "--", "false")
    assert status == 1
    assert figures["failed"] == 4
    assert figures["ok"] == 0
    assert "the first" in done.stderr


def test_unknown_benchmarks_and_numbers_are_usage_errors(skep):
    assert bench(skep, "fanuot")[0] == 64
    assert bench(skep, "exec", "-n", "0")[0] == 64


def test_a_signal_ends_it_with_everything(skep):
    with subprocess.Popen([skep, "bench", "hold", "-n", "20", "--seconds",
                           "100"]) as running:
        time.sleep(1)
        running.send_signal(signal.SIGTERM)
        assert running.wait(10) == 143
