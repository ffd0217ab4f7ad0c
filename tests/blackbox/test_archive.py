"""Archives as entries of a manifest: unpacked whole, or refused with why."""

import io
import tarfile
import zipfile

import pytest

from conftest import say, script

LOOK = "cd in && find . -type f | sort | xargs -r sha256sum; " \
       "find . -mindepth 1 -printf '%p %m %y\\n' | sort"


def tar_of(*members, mode="w"):
    """Members are (name, bytes) or TarInfo; bytes None is a folder."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode,
                      format=tarfile.PAX_FORMAT) as tar:
        for member in members:
            info, content = member, None
            if isinstance(member, tuple):
                info, content = tarfile.TarInfo(member[0]), member[1]
                info.mode = member[2] if len(member) > 2 else 0o644
                if content is None:
                    info.type, info.mode = tarfile.DIRTYPE, 0o755
                else:
                    info.size = len(content)
            tar.addfile(info, io.BytesIO(content or b""))
    return out.getvalue()


def special(kind, name, target=""):
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


def zip_of(*members, method=zipfile.ZIP_DEFLATED):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as z:
        for name, content, *attributes in members:
            info = zipfile.ZipInfo(name)
            info.compress_type = method
            info.external_attr = (attributes or [0o100644])[0] << 16
            z.writestr(info, content)
    return out.getvalue()


@pytest.fixture
def unpack(skep, batch, mock, agent, tasks):
    """unpack(bytes, **entry) gives the result of a run that looks at it."""
    server = mock(script(
        {"when": {"turn": 0}, "set": {"look": {"from": "input",
                                               "match": "(.*)"}},
         "reply": [{"tool": "exec_command", "arguments": {"cmd": "${look}"}}]},
        say("${last_output}")))
    runs = []

    def run(content, look=LOOK, more=None, sandbox=None, **entry):
        runs.append(f"r{len(runs)}")
        (skep.home / "src").write_bytes(content)
        entries = {"in": {"type": "archive", "src": "src"} | entry}
        file = agent(server, manifest={"entries": entries | (more or {})},
                     sandbox=sandbox or {})
        task = {"custom_id": runs[-1], "input": look}
        return batch(file, tasks([task])).of(runs[-1])
    return run


def output(result):
    assert result["status"] == "finished", result["error"]
    return result["response"]["output_text"].split("Output:\n", 1)[1]


def reason(result):
    assert result["status"] == "failed", result
    assert result["error"]["code"] == "manifest"
    return result["error"]["message"]


FILES = (("docs/a.txt", b"hello\n"), ("docs/deep/b.bin", bytes(range(256)) * 999),
         ("run.sh", b"#!/bin/sh\n", 0o755), ("empty", b""), ("d/", None))


@pytest.mark.parametrize("mode", ["w", "w:gz"])
def test_a_tar_comes_out(unpack, mode):
    said = output(unpack(tar_of(*FILES, mode=mode)))
    assert "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03" \
        "  ./docs/a.txt" in said
    assert "./run.sh 755 f" in said and "./docs/a.txt 644 f" in said
    assert "./empty 644 f" in said and "./d 755 d" in said
    import hashlib
    assert hashlib.sha256(bytes(range(256)) * 999).hexdigest() \
        + "  ./docs/deep/b.bin" in said


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED])
def test_a_zip_comes_out(unpack, method):
    said = output(unpack(zip_of(
        ("docs/a.txt", b"hello\n"), ("run.sh", b"#!", 0o100755),
        ("d/", b"", 0o040755), ("big", b"x" * 300_000), method=method)))
    assert "./run.sh 755 f" in said and "./d 755 d" in said
    assert "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03" \
        "  ./docs/a.txt" in said
    assert "  ./big" in said


def test_what_gnu_tar_and_zip_make(unpack, skep):
    import subprocess
    tree = skep.home / "tree"
    long = "/".join(["long-name-of-a-folder-" + "x" * 60] * 4)
    (tree / long).mkdir(parents=True)
    (tree / long / ("f" * 200)).write_text("deep\n")
    for form in ("gnu", "ustar", "v7", "pax"):
        (tree / "short").write_text(form)
        done = subprocess.run(
            ["tar", "-C", tree, "--format", form, "-cf", skep.home / "t", "."],
            capture_output=True)
        content = (skep.home / "t").read_bytes()
        said = output(unpack(content, look="cat in/short; find in -type f"))
        assert said.startswith(form)
        assert (done.returncode != 0) or "f" * 200 in said


REFUSED = {
    "absolute path": ("/etc/x", b""),
    "parent traversal": ("a/../../x", b""),
    "windows drive path": ("C:/x", b""),
    "windows path separator": ("a\\b", b""),
    "symlink member not allowed: l": special(tarfile.SYMTYPE, "l", "/etc"),
    "archive root symlink": special(tarfile.SYMTYPE, ".", "/etc"),
    "hardlink member not allowed": special(tarfile.LNKTYPE, "h", "good"),
    "unsupported member type": special(tarfile.FIFOTYPE, "f"),
    "duplicate archive path: good": ("./good", b"again"),
    "archive path descends through non-directory: good/x": ("good/x", b""),
    "archive path descends through non-directory: dir": ("dir", b""),
}


@pytest.mark.parametrize("kind, why", [
    (kind, why) for kind in ("tar", "zip") for why in REFUSED
    if kind == "tar" or "hardlink" not in why])
def test_a_bad_member_refuses_the_whole(unpack, why, kind):
    bad = REFUSED[why]
    if kind == "tar":
        content = tar_of(("good", b"x"), ("dir/y", b""), bad)
    elif isinstance(bad, tuple):
        content = zip_of(("good", b"x"), ("dir/y", b""), bad)
    elif "symlink" in why:
        content = zip_of(("good", b"x"), (bad.name, b"/etc", 0o120777))
    else:
        content = zip_of(("good", b"x"), ("f", b"", 0o010644))
    said = reason(unpack(content))
    assert f"manifest entry in: {why}" in said


def test_devices_are_refused(unpack):
    for kind in (tarfile.CHRTYPE, tarfile.BLKTYPE):
        info = special(kind, "dev")
        info.devmajor = info.devminor = 1
        assert "unsupported member type (member dev)" in reason(
            unpack(tar_of(info)))


def test_a_protected_path_cannot_be_reached(unpack):
    inside = {".git": {"type": "archive", "src": "src"}}
    said = reason(unpack(tar_of(("hooks/pre-commit", b"x")), more=inside))
    assert ".git: archive member overlaps protected path: hooks/pre-" in said
    # In a folder of another name the same is nothing special.
    assert output(unpack(tar_of(("hooks/pre-commit", b"x")),
                         look="cat in/hooks/pre-commit")) == "x"


@pytest.mark.parametrize("limit, value, why", [
    ("input_bytes", 100, "archive input size exceeds limit"),
    ("extracted_bytes", 9, "archive extracted size exceeds limit"),
    ("members", 2, "archive member count exceeds limit"),
])
@pytest.mark.parametrize("kind", ["tar", "tar.gz", "zip"])
def test_limits_are_kept(unpack, limit, value, why, kind):
    members = (("a", b"12345"), ("b", b"12345"), ("c", b""))
    content = zip_of(*members) if kind == "zip" else \
        tar_of(*members, mode="w:gz" if kind == "tar.gz" else "w")
    assert why in reason(unpack(content, format=kind, limits={limit: value}))


def test_a_bomb_of_zeros_is_stopped(unpack):
    zeros = tar_of(("z", bytes(64 << 20)), mode="w:gz")
    assert "archive extracted size exceeds limit" in reason(
        unpack(zeros, limits={"extracted_bytes": "32M"}))
    zeros = zip_of(("z", bytes(64 << 20)))
    assert "archive extracted size exceeds limit" in reason(
        unpack(zeros, limits={"extracted_bytes": "32M"}))
    # And one that lies about itself.
    lie = zeros.replace((64 << 20).to_bytes(4, "little"),
                        (5).to_bytes(4, "little"))
    assert "archive extracted size exceeds limit" in reason(unpack(lie))


def test_a_full_workspace_says_so(unpack):
    small = {"profile": {"extends": "draft", "limits": {"disk": "1M"}}}
    said = reason(unpack(tar_of(("big", bytes(4 << 20)), mode="w:gz"),
                         sandbox=small))
    assert "manifest entry in: write: No space left on device (member big)" \
        in said


@pytest.mark.parametrize("damage", ["cut", "bits", "text", "empty"])
@pytest.mark.parametrize("kind", ["tar", "tar.gz", "zip"])
def test_damage_is_noticed(unpack, damage, kind):
    import random
    noise = random.Random(7).randbytes(100_000)
    members = (("a", noise), ("b", b"tail"))
    content = zip_of(*members) if kind == "zip" else \
        tar_of(*members, mode="w:gz" if kind == "tar.gz" else "w")
    if damage == "cut":
        content = content[:60_000]
    elif damage == "bits":
        at = 100 if kind == "tar" else 50_000
        content = content[:at] + bytes([content[at] ^ 0xff]) \
            + content[at + 1:]
    else:
        content = b"this is only text " * 99 if damage == "text" else b""
    said = reason(unpack(content, format=kind))
    assert any(word in said for word in (
        "is cut", "damaged", "is no ", "unsupported member type")), said


def test_entries_of_the_manifest_go_over_what_came_out(unpack):
    said = output(unpack(
        tar_of(("f", b"from the archive"), ("g", b" kept")),
        look="cat in/f in/g",
        more={"in/f": {"type": "file", "content": "the manifest's"}}))
    assert said == "the manifest's kept"


def test_the_folder_has_the_entrys_mode(unpack):
    said = output(unpack(tar_of(("f", b"x")), look="stat -c %a in in/f",
                         permissions="drwxr-x---"))
    assert said == "750\n644\n"


def test_many_members(unpack):
    many = tar_of(*((f"d{i % 97}/f{i}", b"") for i in range(20_000)),
                  mode="w:gz")
    assert output(unpack(many, look="find in -type f | wc -l")) == "20000\n"


def test_a_profile_that_protects_nothing(unpack):
    said = output(unpack(tar_of(*FILES), sandbox={"profile": "bare"}))
    assert "./docs/a.txt" in said
