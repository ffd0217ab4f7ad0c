"""README.md says what the source says."""

import re
import subprocess

from conftest import REPO

README = (REPO / "README.md").read_text()
FOLDERS = ("engine", "net", "tools", "sandbox", "config", "tests", "bench")


def test_the_state_diagram_is_that_of_the_table():
    diagram = subprocess.run([REPO / "tests/state_diagram.sh"], check=True,
                             stdout=subprocess.PIPE, text=True).stdout
    assert f"```mermaid\n{diagram}```" in README


def test_the_architecture_names_every_module():
    """Each .c and .h stem of the shipped folders has its words."""
    missing = []
    for folder in ("engine", "net", "tools", "sandbox", "config"):
        for path in (REPO / folder).rglob("*.[ch]"):
            stem = path.stem.removesuffix("_private")
            if not re.search(rf"[`/ ]{stem}(\.|`|,|\*)", README):
                missing.append(str(path.relative_to(REPO)))
    assert sorted(missing) == []
