"""README.md says what the source says."""

import subprocess

from conftest import REPO


def test_the_parts_made_from_the_source_are_up_to_date():
    done = subprocess.run(["/usr/bin/python3", "-B", REPO / "tests/readme.py"])
    assert done.returncode == 0
