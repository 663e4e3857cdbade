import datetime
import io
import json
import os
import re
import signal
import subprocess
import sys

import pyarrow
import pyarrow.parquet
import pytest

from corpus import run_data, write_run
from equipoise.cli import main
from equipoise.training import rehearsal


@pytest.fixture
def equipoise(capsys, monkeypatch):
    """Run the command in this process; return exit code, standard output and standard error."""

    def run(*arguments, stdin=None):
        monkeypatch.setattr(sys, "argv", ["equipoise", *map(str, arguments)])
        if stdin is not None:
            monkeypatch.setattr(sys, "stdin", stdin)
        with pytest.raises(SystemExit) as ended:
            main()
        output = capsys.readouterr()
        code = ended.value.code
        return 0 if code is None else code, output.out, output.err

    return run


@pytest.fixture(scope="module")
def trained(tmp_path_factory, tiny_model):
    from equipoise.training import train

    folder = tmp_path_factory.mktemp("trained")
    train(write_run(folder, tiny_model, max_steps=4, evaluations=1))
    return folder


def test_train_shows_the_table_and_where_things_are(equipoise, tmp_path, tiny_model):
    run_file = write_run(tmp_path, tiny_model, evaluations=1)
    code, out, err = equipoise("train", run_file, "--set", "train.max_steps=4")
    assert code == 0
    assert "step 4: dev run score" in err
    for word in ("intensity", "polarity", "towards", "majority", "Run score on test", "report.html"):
        assert word in out
    code, _, err = equipoise("train", run_file)
    assert code == 1
    assert "--overwrite" in err
    assert equipoise("train", run_file, "--set", "train.max_steps=4", "--resume")[0] == 0
    assert equipoise("train", run_file, "--set", "train.max_steps=2", "--overwrite")[0] == 0


def test_predict_texts(equipoise, trained):
    code, out, err = equipoise("predict", trained / "run", "good film", "bad film", "--pair", "film")
    assert (code, err) == (0, "")
    first, second = map(json.loads, out.splitlines())
    assert first["text"] == "good film"
    assert set(first["polarity"]) == {"label", "probabilities"}
    assert second["intensity"].keys() == {"score"}


def test_predict_a_file_in_order(equipoise, trained, tmp_path):
    texts = [f"good film {number}" for number in range(70)]
    (tmp_path / "in.txt").write_text("\n".join(texts) + "\n")
    out_file = tmp_path / "out.jsonl"
    code, out, _ = equipoise("predict", trained / "run", tmp_path / "in.txt", "-o", out_file, "--pair", "film")
    assert (code, out) == (0, "")
    assert [json.loads(line)["text"] for line in out_file.read_text().splitlines()] == texts


def test_predict_rows_of_a_table(equipoise, trained):
    code, out, _ = equipoise("predict", trained / "run", trained / "reviews.csv", "--task", "towards")
    answers = [json.loads(line) for line in out.splitlines()]
    assert code == 0
    assert len(answers) == 160
    assert answers[0].keys() == {"text", "aspect", "score", "label", "writer", "towards"}


def test_predict_standard_input(equipoise, trained):
    stdin = io.TextIOWrapper(io.BytesIO("\ufeffgood\r\nb\u2028ad".encode()))
    code, out, _ = equipoise("predict", trained / "run", "-", "--task", "polarity", stdin=stdin)
    assert code == 0
    assert [json.loads(line)["text"] for line in out.split("\n")[:-1]] == ["good", "b\u2028ad"]


def test_predict_cells_that_json_does_not_know(equipoise, trained, tmp_path):
    cells = {"text": ["fine"], "day": [datetime.date(2026, 1, 2)], "n": [float("nan")]}
    pyarrow.parquet.write_table(pyarrow.table(cells), tmp_path / "in.parquet")
    _, out, _ = equipoise("predict", trained / "run", tmp_path / "in.parquet", "--task", "intensity")
    answer = json.loads(out)
    assert (answer["day"], answer["n"]) == ("2026-01-02", None)


def test_predict_writes_strict_json_at_any_depth(equipoise, trained, tmp_path):
    row = '{"text": "good", "n": 1e999, "deep": [1, [NaN, {"a": -Infinity}]], "scores": {"x": NaN}}'
    (tmp_path / "in.jsonl").write_text(row)
    _, out, _ = equipoise("predict", trained / "run", tmp_path / "in.jsonl", "--task", "intensity")
    answer = json.loads(out, parse_constant=lambda name: pytest.fail(name))
    assert answer["n"] is None
    assert (answer["deep"], answer["scores"]) == ([1, [None, {"a": None}]], {"x": None})
    (tmp_path / "in.jsonl").write_text('{"text": "good", "deep": ' + "[" * 300 + "]" * 300 + "}")
    code, out, err = equipoise("predict", trained / "run", tmp_path / "in.jsonl", "--task", "intensity")
    assert (code, out) == (1, "")
    assert "in.jsonl, line 1: column 'deep': found a cell that is nested too deeply" in err


def test_predict_strictly_names_all_bad_lines_and_writes_nothing(equipoise, trained, tmp_path):
    (tmp_path / "new.csv").write_text('id,text\n1,good\n2,"a\nb"\n3,\n4,fine\n5,  \n')
    (tmp_path / "new.txt").write_text("good\n\nfine\n \n")
    for name, lines in (("new.csv", "line 5, line 7"), ("new.txt", "line 2, line 4")):
        command = ("predict", trained / "run", tmp_path / name, "--task", "intensity", "-o", tmp_path / "out.jsonl")
        code, out, err = equipoise(*command, "--strict")
        assert (code, out) == (1, "")
        assert f"{name}, {lines}: found an empty text, expected a text; leave these rows out." in err
        assert sorted(path.name for path in tmp_path.iterdir() if path.name.startswith("out")) == []


def test_predict_answers_bad_rows_in_their_place(equipoise, trained, tmp_path):
    (tmp_path / "new.csv").write_bytes(b'id,text\n1,good\n2,"a\nb"\n3,\n4,caf\xe9\n5,a,b\n6,"x\n7,fine\n')
    code, out, err = equipoise("predict", trained / "run", tmp_path / "new.csv", "--task", "intensity")
    answers = [json.loads(line) for line in out.splitlines()]
    assert code == 0
    assert [answer["id"] for answer in answers] == ["1", "2", "3", "4", "5", "6", "7"]
    assert ["intensity" in answer for answer in answers] == [True, True, False, False, False, False, True]
    assert [answer.get("error", "")[:24] for answer in answers[2:6]] == [
        "found an empty text, exp",
        "found a byte that is not",
        "found 3 cells, expected ",
        "found a broken cell (une",
    ]
    assert answers[3]["text"] == "caf\ufffd"
    assert "4 of 7 rows have an error in the place of an answer: " in err
    assert "new.csv, line 5: found an empty text, expected a text … and 3 other kinds of problem." in err


def test_predict_tells_texts_from_files(equipoise, trained, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    here = ("predict", trained / "run", "--task", "intensity")
    code, out, err = equipoise(*here, "Loved it, details in review.txt")
    assert (code, json.loads(out)["text"]) == (0, "Loved it, details in review.txt")
    assert "note: there is no file 'Loved it, details in review.txt'; it is read as a text." in err
    code, out, err = equipoise(*here, "review.txt")
    assert (code, out) == (1, "")
    assert "review.txt: cannot be read (No such file or directory). It is read as a file because it ends in .txt" in err
    (tmp_path / "my review.txt").write_text("good film\n")
    assert json.loads(equipoise(*here, "my review.txt")[1])["text"] == "good film"
    assert equipoise(*here, "很" * 200)[0] == 0  # a file's name cannot be that long, a text can
    assert equipoise(*here, "a\0b")[0] == 0
    os.mkfifo("pipe.txt")
    assert "pipe.txt: found a pipe, expected an ordinary file" in equipoise(*here, "pipe.txt")[2]
    (tmp_path / "a.jsonl").write_text('{"text": "good film"}')
    code, _, err = equipoise(*here, "a.jsonl", "-o", tmp_path / "a.jsonl")
    assert (code, "a.jsonl: the output is the input FILE" in err) == (1, True)


def test_predict_answers_standard_input_window_by_window(equipoise, trained, monkeypatch):
    monkeypatch.setattr("equipoise.predicting.base_predictor.WINDOW", 2)
    stdin = io.TextIOWrapper(io.BytesIO(b"\n\n\ncaf\xe9\ngood film"))
    code, out, err = equipoise("predict", trained / "run", "-", "--task", "intensity", stdin=stdin)
    assert code == 0
    assert ["error" in json.loads(line) for line in out.splitlines()] == [True] * 4 + [False]
    assert "standard input, line 1, line 2, line 3: found an empty text" in err
    stdin = io.TextIOWrapper(io.BytesIO(b"\n\n\n"))
    code, out, err = equipoise("predict", trained / "run", "-", "--task", "intensity", stdin=stdin)
    assert (code, out) == (1, "")
    assert "standard input, all 3 rows: found an empty text" in err


def test_an_interrupt_is_one_message(equipoise, trained, monkeypatch):
    def interrupt(*arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr("equipoise.modeling.load", interrupt)
    code, out, err = equipoise("predict", trained / "run", "good film")
    assert (code, out) == (1, "")
    assert "interrupted" in err
    assert "the same call of predict -o continues" in err
    assert "Traceback" not in err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_check_that_is_stopped_in_its_trial_steps_says_so_in_one_line(equipoise, trained, monkeypatch, number):
    monkeypatch.setattr(rehearsal._Clock, "on_step_end", lambda *args, **kwargs: os.kill(os.getpid(), number))
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a process in the background ignores it
    try:
        assert equipoise("check", trained / "run.yaml") == (1, "", "interrupted\n")
    finally:
        signal.signal(signal.SIGINT, before)
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


@pytest.mark.parametrize(("rank", "ended", "says"), [("0", False, True), ("1", False, True), ("1", True, False)])
def test_of_several_processes_the_first_says_what_is_wrong(equipoise, tmp_path, monkeypatch, rank, ended, says):
    slept = []

    def sleep(seconds):
        slept.append(seconds)
        if ended:
            raise KeyboardInterrupt

    monkeypatch.setenv("RANK", rank)
    monkeypatch.setattr("equipoise.cli.time.sleep", sleep)
    code, _, error = equipoise("train", tmp_path / "none.yaml")
    assert code == 2
    assert ("none.yaml" in error) == says
    assert len(slept) == int(rank)


def test_version(equipoise):
    assert re.fullmatch(r"equipoise \d+\.\d+\.\d+\n", equipoise("--version")[1])


def test_without_a_command_the_help_is_shown(equipoise):
    code, out, err = equipoise()
    assert (code, err) == (2, "")
    assert "Usage: " in out


def test_former_names_in_a_run_file_are_one_note(equipoise, trained):
    nowhere = ("--set", "sources.reviews.path=nowhere.csv")
    code, out, err = equipoise("check", trained / "run.yaml", "--set", "tasks.polarity.format=module", *nowhere)
    assert (code, out) == (2, "")
    lines = err.splitlines()
    assert [line for line in lines if "former" in line] == [
        f"note: {trained}/run.yaml: format: module is now format: head. The former names are read for now."
    ]
    assert "FutureWarning" not in err
    assert lines[-1].startswith("usage: ")


def test_evaluate(equipoise, trained, tmp_path):
    code, out, _ = equipoise("evaluate", trained / "run", trained / "run.yaml", "-o", tmp_path / "metrics.json")
    assert code == 0
    assert "polarity" in out
    assert {record["split"] for record in json.loads((tmp_path / "metrics.json").read_text())} == {"test"}


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["train", "nowhere.yaml"], 2, "nowhere.yaml: cannot read the run file"),
        (["train", "{run}", "--set", "train.epoch=1"], 2, "Did you mean 'epochs'"),
        (["train", "{run}", "--set", "balance=daoo"], 2, "there is no balancer 'daoo'. Did you mean 'dao'"),
        (["train", "{run}", "--set", "balance.clp=1"], 2, "'dao' has no option 'clp'. Did you mean 'clip'"),
        (["train", "{run}", "--set", "tasks.intensity.source=x"], 2, "'x' is not a source"),
        (["train", "{run}", "--set", "tasks.intensity.label=scroe"], 1, "Did you mean 'score'"),
        (["train", "{run}", "--set", "tasks.intensity.label=label"], 1, "line 2"),
        (["train", "{run}", "--set", "tasks.intensity.range=[0, 1]"], 1, "expected a number from 0 to 1"),
        (["train", "{run}", "--set", "sources.reviews.path=nowhere.csv"], 1, "nowhere.csv"),
        (["train", "{run}", "--set", "model=./nowhere"], 1, "nowhere does not exist"),
        (["predict", "nowhere", "text"], 1, "nowhere: does not exist, expected an Equipoise model"),
        (["predict", "{folder}/run", "nowhere.csv"], 1, "nowhere.csv"),
        (["predict", "{folder}/run", "nowhere.txt"], 1, "nowhere.txt: cannot be read"),
        (["predict", "{folder}/run", "{run}"], 2, "is a file or folder, expected texts, or one file that ends in"),
        (["predict", "{folder}/run", "{folder}/reviews.csv", "b.csv"], 2, "is a file or folder"),
        (["predict", "{folder}/run", "text", "-o", "no/such/out.jsonl"], 2, "found no folder no/such"),
        (["predict", "{folder}/run", "text", "-o", "{folder}"], 2, "found a folder, expected the name of a file"),
        (["predict", "{folder}/run", "text", "-o", "out.xlsx"], 2, "found the ending .xlsx, expected .jsonl, .csv"),
        (
            ["predict", "{folder}/run", "{folder}/reviews.csv", "--encoding", "cp9"],
            2,
            "--encoding: found 'cp9', expected",
        ),
        (["predict", "{folder}/run", "{folder}/reviews.csv", "--sep", ";;"], 2, "--sep: found ';;', expected one char"),
        (["predict", "{folder}/run", "{folder}/reviews.csv", "--sep", "'", "--quotechar", "'"], 2, "are both"),
        (["predict", "{folder}/run", "{folder}/reviews.csv", "--sheet", "a"], 2, "'sheet' goes with .xlsx, found .csv"),
        (["predict", "{folder}/run", "{folder}/reviews.csv", "--clean", "xml"], 2, "clean: found 'xml', expected html"),
        (["predict", "{folder}/run", "{folder}/reviews.csv", "--text", "txet"], 1, "Did you mean 'text'"),
        (["predict", "{folder}/run", "a text", "--encoding", "cp1252"], 2, "--encoding: goes with a file, found texts"),
        (["evaluate", "{folder}/run", "{run}", "-o", "no/such/out.json"], 2, "found no folder no/such"),
        (["predict", "{folder}/run", "text", "--task", "plarity"], 2, "Did you mean 'polarity'"),
        (["predict", "{folder}/run", "text"], 2, "reads a second text (column 'aspect')"),
        (["evaluate", "{folder}/run", "{run}", "--split", "tset"], 2, "Did you mean 'test'"),
        (["train", "{run}", "--resume", "--overwrite"], 2, "exclude each other"),
        (["fetch", "minlm"], 2, "Did you mean 'minilm'"),
        (["tarin"], 2, "No such command 'tarin'"),
        (["train"], 2, "Missing argument"),
    ],
)
def test_mistakes_end_in_one_message(equipoise, trained, arguments, code, message):
    places = {"run": trained / "run.yaml", "folder": trained}
    before = sorted(trained.rglob("*"))
    if "{run}" in arguments and arguments[0] == "train":
        arguments = [*arguments, "--set", "output={folder}/another"]
    found, out, err = equipoise(*(argument.format(**places) for argument in arguments))
    text = re.sub(r"\s+", " ", out + err)
    assert found == code, text
    assert message in text
    assert "Traceback" not in text
    assert sorted(trained.rglob("*")) == before


def test_fetch_without_a_name_lists_the_starters(equipoise):
    assert equipoise("fetch") == equipoise("list", "starters")
    assert "vader" in equipoise("fetch")[1]


def test_help_comes_without_loading_torch():
    code = "import sys; sys.argv = ['equipoise', '--help']\nfrom equipoise.cli import main\ntry: main()\n"
    code += "finally: print('torch' in sys.modules)"
    environment = {**os.environ, "COLUMNS": "200"}
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    for command in ("quickstart", "check", "train", "compare", "evaluate", "predict", "fetch", "list"):
        assert command in result.stdout
    assert result.stdout.endswith("False\n")


@pytest.fixture(scope="module")
def asked(tmp_path_factory, tiny_llm):
    """A run file with a task that is asked, one that is not, and a run trained by it."""
    from equipoise.training import train

    folder = tmp_path_factory.mktemp("asked")
    data = run_data(folder, tiny_llm, max_steps=1, evaluations=1)
    data["max_length"] = 160
    data["sources"]["reviews"]["limit"] = {"train": 40, "dev": 8, "test": 8}
    data["tasks"]["towards"]["format"] = "prompt"
    (folder / "run.yaml").write_text(json.dumps(data))
    train(folder / "run.yaml")
    return folder


def test_check_shows_the_prompt_of_the_first_training_row(equipoise, asked, monkeypatch):
    import csv

    monkeypatch.setenv("COLUMNS", "200")
    before = sorted(asked.rglob("*"))
    code, out, _ = equipoise("check", asked / "run.yaml")
    assert code == 0
    assert sorted(asked.rglob("*")) == before
    texts = [line["text"] for line in csv.DictReader((asked / "reviews.csv").open())]
    (shown,) = [text for text in texts if f"user\n{text}\n\nWhat is the towards of the text above towards" in out]
    for words in ("intensity", "prompt", "limit", "answers: 'negative' | 'neutral' | 'positive'", "right: '"):
        assert words in out
    assert out.count("first training row") == 1
    code, out, _ = equipoise("check", asked / "run.yaml", "--set", "tasks.towards.template=Well? {text} {pair}")
    assert f"Well? {shown}" in out


def test_check_finds_what_is_wrong(equipoise, asked):
    code, _, err = equipoise("check", asked / "run.yaml", "--set", "tasks.polarity.label=lable")
    assert code == 2
    assert "found no column 'lable'" in err
    assert equipoise("check", asked / "run.yaml", "--set", "evaluation.shots=0")[0] == 2


def test_answers_averaged_over_prompts(equipoise, asked, tmp_path):
    once, averaged = (
        json.loads(equipoise("predict", asked / "run", "good film", "--pair", "film", *options)[1])
        for options in ((), ("--prompts", "4"))
    )
    assert once["towards"] != averaged["towards"]
    assert once["polarity"] == averaged["polarity"]
    code, _, err = equipoise("predict", asked / "run", "good film", "--pair", "film", "--prompts", "9")
    assert (code, "task 'towards' has 4 templates" in err) == (2, True)
    found = []
    for options in ((), ("--prompts", "4")):
        code, out, _ = equipoise("evaluate", asked / "run", asked / "run.yaml", "-o", tmp_path / "m.json", *options)
        assert (code, "ECE" in out) == (0, True)
        records = json.loads((tmp_path / "m.json").read_text())
        found.append({(r["task"], r["model"]): r["value"] for r in records if r["metric"] == "ece"})
    assert found[0]["polarity", "run"] == found[1]["polarity", "run"]
    assert found[0]["towards", "run"] != found[1]["towards", "run"]
