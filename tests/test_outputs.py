import json
import os
import shutil

import pytest
from typer.testing import CliRunner

from corpus import write_run
from equipoise.cli import app
from equipoise.comparison.compare_folder import COMPARISON_OUTPUT
from equipoise.errors import EquipoiseError, ModelError, OutputError, TrainingError, UsageError
from equipoise.evolution.folder import HEADER as MERGE_HEADER
from equipoise.evolution.folder import MERGE_OUTPUT
from equipoise.experts.experts_folder import EXPERTS_OUTPUT
from equipoise.experts.experts_folder import HEADER as EXPERTS_HEADER
from equipoise.files import replace_folder
from equipoise.modeling import MODEL_OUTPUT, load
from equipoise.outputs import OutputKind, check_apart, check_output, check_output_file
from equipoise.training import train, trainer
from equipoise.training.checkpoints import mark_complete
from equipoise.training.random_states import save_random_states

KIND = OutputKind(
    "a thing",
    lambda folder: (folder / "mark").exists(),
    lambda folder: sorted({path.name for path in folder.iterdir()} - {"mark", "content", "beside"}),
)


def put(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    return folder


def listing(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


def test_what_is_ours_may_be_replaced(tmp_path):
    assert check_output(tmp_path / "new", KIND) is False
    (tmp_path / "empty").mkdir()
    assert check_output(tmp_path / "empty", KIND) is False
    assert check_output(put(tmp_path / "thing", "mark", "content", "beside"), KIND) is True


@pytest.mark.parametrize("names", [["thesis.tex"], ["mark", "thesis.tex"], ["content"], ["sub/thesis.tex"]])
def test_anything_else_is_refused_by_name(tmp_path, names):
    folder = put(tmp_path / "folder", *names)
    before = listing(tmp_path)
    with pytest.raises(
        OutputError, match=rf"holds other files \({names[-1].split('/')[0]}\), expected none or a thing"
    ):
        check_output(folder, KIND)
    assert listing(tmp_path) == before


def test_hidden_files_count_where_the_folder_is_replaced_as_a_whole(tmp_path):
    folder = put(tmp_path / "folder", ".git/config")
    assert check_output(folder, KIND) is False
    with pytest.raises(OutputError, match=r"holds other files \(\.git\)"):
        check_output(folder, MODEL_OUTPUT)


def test_a_model_with_another_file_in_it_is_not_replaced(tmp_path):
    folder = put(tmp_path / "m", "backbone/model.safetensors")
    (folder / "equipoise.json").write_text(json.dumps({"format_version": 1}))
    assert check_output(folder, MODEL_OUTPUT) is True
    put(folder, "backbone/thesis.tex")
    with pytest.raises(OutputError, match=r"holds other files \(backbone/thesis\.tex\)"):
        check_output(folder, MODEL_OUTPUT)


@pytest.mark.parametrize(
    ("output", "read", "how"),
    [
        ("a", "a", "is the input"),
        ("a", "a/b/c.csv", "holds the input"),
        (".", "a", "holds the input"),
        ("a/b", "a", "lies in the input"),
        ("link", "a", "is the input"),
        ("link/b", "a", "lies in the input"),
    ],
)
def test_an_output_is_apart_from_what_is_read(tmp_path, output, read, how):
    put(tmp_path, "a/b/c.csv")
    (tmp_path / "link").symlink_to(tmp_path / "a")
    with pytest.raises(OutputError, match=f"{how} KEY"):
        check_apart(tmp_path / output, [("KEY", tmp_path / read)])
    check_apart(tmp_path / "other", [("KEY", tmp_path / read)])
    check_apart(tmp_path / "ab", [("KEY", tmp_path / read)])


def test_a_place_that_can_be_no_folder(tmp_path):
    put(tmp_path, "file")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    for place in ("file", "file/below", "loop", "n" * 300, "n" * 201, "/".join(["n" * 100] * 40), "nul\0", "\ud800"):
        with pytest.raises(OutputError):
            check_output(tmp_path / place, KIND)
    for place in ("loop", "n" * 300, "n" * 201, "file/below", "nul\0"):
        with pytest.raises(UsageError):
            check_output_file(tmp_path / place)


def test_a_place_that_cannot_be_written(tmp_path, monkeypatch):
    put(tmp_path, "closed/run/file")
    access = os.access
    # The superuser, by whom tests may be run, writes everywhere.
    monkeypatch.setattr(os, "access", lambda path, mode: os.path.basename(path) != "closed" and access(path, mode))
    with pytest.raises(OutputError, match=r"closed: the output's folder cannot be written; choose another `output`"):
        check_output(tmp_path / "closed" / "new" / "run", KIND)
    with pytest.raises(UsageError, match=r"the folder .*closed cannot be written"):
        check_output_file(tmp_path / "closed" / "out.json")


def test_an_output_file_replaces_json_alone_and_no_input(tmp_path):
    put(tmp_path, "model/equipoise.json", "in.csv", "thesis.tex")
    (tmp_path / "old.jsonl").write_text('{"text": "a"}\n')
    (tmp_path / "hard.jsonl").hardlink_to(tmp_path / "old.jsonl")
    inputs = [("MODEL", tmp_path / "model"), ("FILE", tmp_path / "in.csv")]
    for fine in ("new.jsonl", "old.jsonl"):
        check_output_file(tmp_path / fine, inputs)
    for refused in ("in.csv", "model/equipoise.json", "model/new.json", "thesis.tex"):
        with pytest.raises(OutputError):
            check_output_file(tmp_path / refused, inputs)
    with pytest.raises(OutputError, match="is the input FILE"):
        check_output_file(tmp_path / "hard.jsonl", [("FILE", tmp_path / "old.jsonl")])
    with pytest.raises(UsageError, match="found no folder"):
        check_output_file(tmp_path / "none/new.jsonl", inputs)


@pytest.mark.parametrize("umask", [0o077, 0o022, 0o002])
def test_a_replaced_folder_follows_the_umask(tmp_path, umask):
    before = os.umask(umask)
    try:
        for _ in range(2):
            with replace_folder(tmp_path / "folder") as new:
                (new / "file").write_text("content")
                (new / "file").chmod(0o600)  # as safetensors does
    finally:
        os.umask(before)
    assert (tmp_path / "folder").stat().st_mode & 0o777 == 0o777 & ~umask
    assert (tmp_path / "folder/file").stat().st_mode & 0o777 == 0o666 & ~umask
    assert listing(tmp_path) == ["folder", "folder/file"]


def test_the_working_folder_is_replaced_under_its_own_name(tmp_path, monkeypatch):
    here = put(tmp_path / "here", "old")
    monkeypatch.chdir(here)
    with replace_folder(".") as new:
        (new / "file").write_text("content")
    assert listing(tmp_path) == ["here", "here/file"]


def test_a_link_keeps_leading_to_the_folder_that_is_replaced(tmp_path):
    put(tmp_path / "real", "old")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    with replace_folder(tmp_path / "link") as new:
        (new / "file").write_text("content")
    assert (tmp_path / "link").is_symlink()
    assert listing(tmp_path / "real") == ["file"]


def equipoise(*arguments):
    """Run the command in this process, and return what it ends with."""
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert isinstance(result.exception, EquipoiseError), result.output
    return result.exception


@pytest.fixture(scope="module")
def experts(tmp_path_factory, tiny_model):
    place = tmp_path_factory.mktemp("experts")
    before = os.umask(0o077)
    try:
        for name in "ab":
            run_file = write_run(place, tiny_model, max_steps=2, evaluations=1)
            train(run_file, [f"output={place / name}", f"train.seed={ord(name)}"])
    finally:
        os.umask(before)
    return place


def test_a_checkpoint_follows_the_umask(tmp_path):
    before = os.umask(0o022)
    try:
        put(tmp_path, "checkpoint-1/model.safetensors").joinpath("checkpoint-1/model.safetensors").chmod(0o600)
        mark_complete(tmp_path / "checkpoint-1")
    finally:
        os.umask(before)
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "checkpoint-1").iterdir()} == {0o644}


def test_a_run_follows_the_umask(experts):
    modes = {path: path.stat().st_mode & 0o777 for path in [experts / "a", *(experts / "a").rglob("*")]}
    assert {path: oct(mode) for path, mode in modes.items() if mode & 0o077} == {}


def test_merge_never_removes_what_is_not_ours(experts, tmp_path, monkeypatch):
    others = put(tmp_path / "home", "thesis.tex", ".ssh/key")
    before = listing(tmp_path), listing(experts)
    monkeypatch.chdir(others)
    for output, message in [
        (others, "holds other files"),
        (".", "holds other files"),
        (experts, "holds the input"),
        (experts / "a", "is the input"),
        (experts / "a" / "model", "lies in the input"),
        (experts / "a" / "new", "lies in the input"),
    ]:
        for flags in ([], ["--overwrite"]):
            assert message in str(equipoise("merge", experts / "a", experts / "b", "-o", output, *flags))
    assert (listing(tmp_path), listing(experts)) == before


def test_predict_and_evaluate_do_not_write_over_what_they_read(experts, tmp_path):
    data = tmp_path / "in.csv"
    data.write_text("text\ngood\n")
    run_file = tmp_path / "run.yaml"
    run_file.write_text((experts / "a/config.yaml").read_text())
    before = {path: path.read_bytes() for path in (data, run_file, experts / "a/metrics.json")}
    for arguments in (
        ["predict", experts / "a", data, "-o", data],
        ["predict", experts / "a", data, "-o", experts / "a/metrics.json"],
        ["evaluate", experts / "a", run_file, "-o", run_file],
        ["evaluate", experts / "a", run_file, "-o", experts / "a/metrics.json"],
    ):
        assert "nothing was changed" in str(equipoise(*arguments))
    assert {path: path.read_bytes() for path in before} == before


def test_train_overwrites_no_run_that_holds_other_files(experts):
    run_file = next(experts.glob("*.yaml"))
    put(experts / "b", "model/mine.txt")
    error = equipoise("train", run_file, "--set", f"output={experts / 'b'}", "--overwrite")
    assert "holds other files (model/mine.txt)" in str(error)
    assert (experts / "b/model/mine.txt").read_text() == "model/mine.txt"
    (experts / "b/model/mine.txt").unlink()


@pytest.mark.parametrize(
    "file",
    [
        "checkpoints/notes.txt",
        "checkpoints/sub/u.csv",
        "checkpoints/checkpoint-3/u.csv",
        "checkpoints/checkpoint-x/optimizer.pt",
        "checkpoints/.notes",
        "single-task/x/.notes",
        "log.jsonl/u.csv",
        "report.html/u.csv",
        "curriculum.json/u.csv",
    ],
)
@pytest.mark.parametrize("flag", ["--overwrite", "--resume"])
def test_a_run_with_a_file_of_others_is_left_as_it_is(experts, tmp_path, file, flag):
    shutil.copytree(experts / "b", tmp_path / "b")
    taken = tmp_path / "b" / file.split("/")[0]
    if taken.is_file():
        taken.unlink()
    put(tmp_path / "b", file)
    arguments = ["train", next(experts.glob("*.yaml")), "--set", f"output={tmp_path / 'b'}", "--set", "train.seed=98"]
    if flag == "--resume":
        CliRunner().invoke(app, [str(argument) for argument in [*arguments, flag]])
    else:
        shown = file if file.startswith(("checkpoints", "single")) else taken.name
        assert f"holds other files ({shown})" in str(equipoise(*arguments, flag))
    assert (tmp_path / "b" / file).read_text() == file


def test_a_run_that_ends_leaves_what_others_have_put_among_its_checkpoints(tmp_path, tiny_model, monkeypatch):
    run_file = write_run(tmp_path, tiny_model, max_steps=3, evaluations=3)

    def fail(file, device):
        save_random_states(file, device)
        if "checkpoint-2" in str(file):
            put(file.parent, "mine.txt")
            raise OSError("no")

    with monkeypatch.context() as patched:
        patched.setattr(trainer, "save_random_states", fail)
        with pytest.raises(TrainingError):
            train(run_file)
    checkpoints = put(tmp_path / "run/checkpoints", "notes.txt", "sub/u.csv", "checkpoint-1/u.csv")
    assert (checkpoints / "checkpoint-1/optimizer.pt").exists()
    train(run_file, resume=True)
    assert [path for path in listing(checkpoints) if (checkpoints / path).is_file()] == [
        "checkpoint-1/u.csv",
        "checkpoint-2/mine.txt",
        "notes.txt",
        "sub/u.csv",
    ]
    with pytest.raises(OutputError, match=r"checkpoints/checkpoint-1/u\.csv"):
        train(run_file, overwrite=True)


@pytest.mark.parametrize("file", ["checkpoints/mine.txt", ".notes", "merge/mine.txt", "log.jsonl/mine.txt"])
def test_experts_with_a_file_of_others_are_left_as_they_are(experts, tmp_path, file):
    shutil.copytree(experts / "a", tmp_path / "experts/polarity")
    (tmp_path / "experts/config.yaml").write_text(EXPERTS_HEADER)
    assert list(EXPERTS_OUTPUT.strangers(tmp_path / "experts")) == []
    if "log.jsonl" in file:
        (tmp_path / "experts/polarity/log.jsonl").unlink()
    put(tmp_path / "experts/polarity", file)
    with pytest.raises(OutputError, match=f"holds other files .polarity/{file.split('/mine')[0]}"):
        check_output(tmp_path / "experts", EXPERTS_OUTPUT)


@pytest.mark.parametrize("file", ["predictions/mine.txt", "predictions/best/mine.txt", "merge.html/x", "data.json/x"])
def test_a_merge_with_a_file_of_others_is_left_as_it_is(tmp_path, file):
    put(tmp_path, "predictions/best/predictions.npz", "predictions/.tmpabc123")
    (tmp_path / "config.yaml").write_text(MERGE_HEADER)
    assert check_output(tmp_path, MERGE_OUTPUT)
    put(tmp_path, file)
    with pytest.raises(OutputError, match=f"holds other files .{file.removesuffix('/x')}"):
        check_output(tmp_path, MERGE_OUTPUT)


@pytest.mark.parametrize("file", ["runs/mine.log", "runs/dao/seed-0/mine.txt", "compare.html/x"])
def test_a_comparison_with_a_file_of_others_is_left_as_it_is(tmp_path, file):
    put(tmp_path, "runs/dao/seed-0.log", "runs/dao/trial-12.log")
    (tmp_path / "settings.json").write_text('{"file": "settings of an Equipoise comparison"}')
    assert check_output(tmp_path, COMPARISON_OUTPUT)
    put(tmp_path, file)
    with pytest.raises(OutputError, match=f"holds other files .{file.removesuffix('/x')}"):
        check_output(tmp_path, COMPARISON_OUTPUT)


@pytest.mark.parametrize("file", ["model/backbone/model.safetensors", "model/task_modules.safetensors"])
def test_a_flipped_bit_is_found_and_named(experts, tmp_path, file):
    shutil.copytree(experts / "a", tmp_path / "a")
    content = bytearray((tmp_path / "a" / file).read_bytes())
    content[-9] ^= 1
    (tmp_path / "a" / file).write_bytes(content)
    with pytest.raises(ModelError, match=f"{file}: not a readable Equipoise model: the file is damaged"):
        load(tmp_path / "a")
