"""tests/conformance.txt: every row is shown by tests that exist, or says why
it is not there."""

import re

import pytest

from conftest import REPO

TABLE = REPO / "tests/conformance.txt"
ROWS = {"M": range(1, 22), "C": range(1, 27), "A": (1, 3, 4, 5, 6, 7),
        "R": (*range(1, 27), *range(28, 35), 39), "P": range(1, 9),
        "S": (1, 2), "D": range(1, 26), "E": range(1, 10),
        "I": range(1, 10), "T": range(1, 5), "X": range(1, 7),
        "F": range(1, 10)}


def rows():
    for line in TABLE.read_text().splitlines():
        if line and not line.startswith("#"):
            ident, what, where = (part.strip() for part in line.split("|", 2))
            yield ident, what, where


def numbers(ident):
    """D1-D19 -> D1, D2, ... D19."""
    first, _, last = ident.partition("-")
    letter, low = first[0], int(first[1:])
    return [f"{letter}{n}" for n in
            range(low, int(last[1:]) + 1 if last else low + 1)]


def test_no_row_is_missing():
    found = [n for ident, _, _ in rows() for n in numbers(ident)]
    wanted = [f"{letter}{n}" for letter, ns in ROWS.items() for n in ns]
    assert sorted(found) == sorted(wanted)


def exists(name):
    module, _, test = name.partition("::")
    path = REPO / "tests" / module
    pattern = rf"^def {test}\(" if path.suffix == ".py" else \
        rf"^{test}\(void \*\*state\)"
    return path.exists() and re.search(pattern, path.read_text(), re.M)


@pytest.mark.parametrize("where", [w for _, _, w in rows()],
                         ids=[i for i, _, _ in rows()])
def test_a_row_names_tests_or_a_reason(where):
    if where.startswith("-"):
        assert len(where) > 12, "a reason, in words"
    else:
        missing = [name for name in where.split() if not exists(name)]
        assert not missing
