"""Outputs that cannot be written, or would replace what is not ours."""

from .case import TRAIN, Case, World

_ASK = ("predict", "RUN", "a", "--task", "polarity", "-o")


def _train(name: str, output: str, words: str, *options: str, prepare=lambda world: None, code: int = 1) -> Case:
    return Case("output", name, words, (*TRAIN, "--set", f"output={output}", *options), prepare, code)


def _ask(name: str, output: str, words: str, prepare=lambda world: None, code: int = 2) -> Case:
    return Case("output", name, words, (*_ASK, output), prepare, code)


def _check(name: str, output: str, words: str, prepare=lambda world: None) -> Case:
    return Case("output", name, words, ("check", "run.yaml", "--set", f"output={output}"), prepare, 2)


def _dangling(world: World) -> None:
    (world.folder / "link").symlink_to("nowhere")


def _rows(world: World) -> None:
    world.write("d.jsonl", '{"text": "a", "label": "pos"}\n')


def _mine(world: World) -> None:
    world.write("mine/thesis.tex", "x")


def _loop(world: World) -> None:
    (world.folder / "loop").symlink_to("loop")


CASES = [
    _train("below a file", "data.csv/out", "data.csv: found a file, expected a folder"),
    _train("a file", "data.csv", "data.csv: found a file, expected a folder"),
    _train("a file with --overwrite", "data.csv", "data.csv: found a file, expected a folder", "--overwrite"),
    _train("too long a name", "x" * 300, "the output cannot be used (File name too long)"),
    _train("too long a path", "/".join(["x" * 100] * 50), "the output cannot be used (File name too long)"),
    _train("a link to itself", "loop", "loop: found", prepare=_loop),
    _train("the folder of the data", ".", "holds the input", "--overwrite"),
    _train("a folder of others", "mine", "holds other files", prepare=_mine),
    _train("others with --overwrite", "mine", "holds other files", "--overwrite", prepare=_mine),
    _train("others with --resume", "mine", "holds other files", "--resume", prepare=_mine),
    _check("checked, below a file", "data.csv/out", "data.csv: found a file, expected a folder"),
    _check("checked, too long a name", "x" * 300, "the output cannot be used (File name too long)"),
    _check("checked, a folder of others", "mine", "holds other files", _mine),
    _train("a link that leads to nothing", "link", "link: found a link that leads to nothing", prepare=_dangling),
    _train("a finished run", "run", "--overwrite", prepare=lambda world: world.copy_run()),
    _train("--resume with --overwrite", "out", "exclude each other", "--resume", "--overwrite", code=2),
    _train("a device", "/dev/null", "/dev/null: found"),
    _train("a null character", '"a\\0b"', "output: found a path with a null character", code=2),
    _ask("a folder for answers", ".", "found a folder, expected the name of a file"),
    _ask("no folder for answers", "no/such/out.jsonl", "found no folder no/such"),
    _ask("answers below a file", "data.csv/out.jsonl", "found no folder data.csv"),
    _ask("too long a name for answers", "x" * 300, "cannot be written (File name too long)"),
    _ask("a name too long to be replaced", "x" * 250, "cannot be written (File name too long)"),
    _ask("a link to itself for answers", "loop", "loop: cannot be written", _loop),
    _ask("answers over another table", "data.csv", "does not hold predictions", code=1),
    _ask("answers over no JSON", "new", "found a file that is no JSON", lambda world: world.write("new", "x"), code=1),
    _ask("answers in a workbook", "new.xlsx", "found the ending .xlsx"),
    _ask(
        "answers of others, unfinished", "new.csv", "new.csv.partial: found a file that no interrupted call has left",
        lambda world: world.write("new.csv.partial", "x"), code=1,
    ),
    _ask("answers over other JSON", "d.jsonl", "does not hold predictions", _rows, code=1),
    Case("output", "metrics over JSON", "not hold metrics", ("evaluate", "RUN", "run.yaml", "-o", "d.jsonl"), _rows),
    _ask("answers into a device", "/dev/full", "found no ordinary file"),
    Case(
        "output", "answers over their texts", "is the input",
        ("predict", "RUN", "new.jsonl", "--task", "polarity", "-o", "new.jsonl"),
        lambda world: world.write("new.jsonl", '{"text": "a"}\n'),
    ),
    Case("output", "metrics into no folder", "no folder no", ("evaluate", "RUN", "run.yaml", "-o", "no/m"), code=2),
    Case("output", "metrics over the run file", "run.yaml", ("evaluate", "RUN", "run.yaml", "-o", "run.yaml")),
    Case("output", "a merge below a file", "data.csv: found a file", ("merge", "RUN", "RUN", "-o", "data.csv/m")),
    Case(
        "output", "a merge over others' files", "holds other files",
        ("merge", "RUN", "RUN", "-o", "mine", "--overwrite"),
        _mine,
    ),
    Case("output", "a comparison below a file", "data.csv: found a file", ("compare", "run.yaml", "-o", "data.csv/c")),
    Case(
        "output", "difficulty below a file", "data.csv: found a file",
        ("difficulty", "run.yaml", "--set", "output=data.csv/d"),
    ),
    Case("output", "experts below a file", "found a file", ("experts", "run.yaml", "--set", "output=data.csv/d")),
    Case("output", "a quickstart below a file", "data.csv: found a file", ("quickstart", "-o", "data.csv/q")),
]  # fmt: skip
