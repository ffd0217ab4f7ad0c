#!/usr/bin/env python3
"""The parts of README.md that are made from the source.

    readme.py            exit 1 when README.md is behind the source
    readme.py --write    bring it up to date

The diagram of a run's states comes from engine/run_states.def, the table that
the engine is compiled from; the list of files from the first sentence of each
module's header.  They stand between `<!-- made: NAME -->` and `<!-- end -->`.
"""

import pathlib
import re
import sys
import textwrap

REPO = pathlib.Path(__file__).resolve().parents[1]
FOLDERS = ["engine/base", "net", "config", "sandbox", "tools", "engine",
           "engine/cmd", "engine/mock"]


def states():
    """The state table as a Mermaid diagram."""
    text = (REPO / "engine/run_states.def").read_text()
    text = re.sub(r"/\*.*?\*/", "", text, flags=re.S)
    lines = ["```mermaid", "stateDiagram-v2"]
    rows = re.findall(r'RUN_STATE\(\w+,\s*(\w+),(.*?)"(.*?)"\)', text, re.S)
    lines.append(f"    [*] --> {rows[0][0]}")
    for name, edges, meaning in rows:
        lines.append(f"    {name} : {meaning}")
        targets = re.findall(r"TO\((\w+)\)", edges)
        lines += [f"    {name} --> {t.lower()}" for t in targets]
        if not targets:
            lines.append(f"    {name} --> [*]")
    return "\n".join(lines + ["```"])


def first_sentence(path):
    """Of the first comment of a file; None when it has none."""
    comment = re.search(r"/\*(.*?)\*/", path.read_text(), re.S)
    if comment is None:
        return None
    if re.search(r"^\w[^#/]*[({;]", path.read_text()[:comment.start()], re.M):
        return None  # the comment belongs to something in the file
    text = re.sub(r"(?m)^\s*\* ?", "", comment[1])
    paragraph = text.strip().split("\n\n")[0]
    words = " ".join(paragraph.split())
    end = re.search(r"(?<=[a-z0-9)\"'`>])[.:;](?= [A-Z(]|$)", words)
    return words[:end.start()] if end else words.rstrip(".")


def modules(folder):
    """{stem: (sentence, other files of it)} of the files in a folder."""
    found = {}
    paths = sorted((REPO / folder).glob("*.[ch]")) + \
        sorted((REPO / folder).glob("*.def"))
    for path in sorted(paths, key=lambda p: (p.suffix != ".h", p.name)):
        stem = path.stem
        if path.suffix == ".c" and stem not in found:
            parts = stem.split("_")
            owner = next((o for n in range(len(parts) - 1, 0, -1)
                          if (o := "_".join(parts[:n])) in found), None)
            if owner is not None and first_sentence(path) is None:
                found[owner][1].append(path.name)
                continue
        if path.suffix == ".def":
            stem = path.name
        if stem not in found:
            found[stem] = (first_sentence(path) or "", [])
    return found


def files():
    lines = []
    for folder in FOLDERS:
        known = modules(folder)
        if not known:
            continue
        lines += [f"**{folder}**", ""]
        for stem, (sentence, others) in sorted(known.items()):
            if others:
                sentence += f" ({', '.join(others)})"
            item = f"* `{stem}`: {sentence}".rstrip(": ")
            lines += textwrap.wrap(item, 79, subsequent_indent="  ",
                                   break_on_hyphens=False,
                                   break_long_words=False)
        lines.append("")
    return "\n".join(lines).rstrip()


def updated(text):
    for name, make in (("states", states), ("files", files)):
        text = re.sub(
            rf"(<!-- made: {name} -->\n).*?(\n<!-- end -->)",
            lambda m: m[1] + make() + m[2], text, flags=re.S)
    return text


def main():
    path = REPO / "README.md"
    old = path.read_text()
    new = updated(old)
    if "--write" in sys.argv[1:]:
        path.write_text(new)
    elif new != old:
        print("README.md is behind the source: tests/readme.py --write",
              file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
