"""From files to a run file that runs: what is read, how files belong together, what columns are for."""

import itertools
import json
import re

import pandas
import polars
import pyarrow
import pytest

import equipoise
from equipoise.config import load_config, parse_yaml
from equipoise.data import load_table
from equipoise.errors import DataError, OutputError, UsageError
from equipoise.proposing import MOST_QUESTIONS, propose, sampled_lines
from messy import reviews, write_cells, write_lines

HEADER = ("text", "score", "polarity", "stars", "author")


def cells(rows=120, columns=HEADER, seed=0):
    return [[row[name] for name in columns] for row in reviews(rows, seed)]


def tasks_of(proposal):
    return {task.name: task.kind for task in proposal.tasks}


def sources_of(proposal):
    return {source.name: dict(source.keys) for source in proposal.sources}


def test_a_plain_file_becomes_a_run_file_that_loads(tmp_path):
    write_cells(tmp_path / "reviews.csv", HEADER, cells())
    proposal = propose(tmp_path / "reviews.csv", folder=tmp_path)
    assert tasks_of(proposal) == {"score": "regression", "polarity": "classification", "stars": "ordinal"}
    assert sources_of(proposal)["reviews"]["group"] == "author"
    path = proposal.save(tmp_path / "run.yaml")
    table = load_table(load_config(path))
    assert table.tasks["polarity"].class_names == ("negative", "positive")
    assert not proposal.fault
    assert equipoise.propose is propose


def test_each_line_says_why_and_alternatives_are_valid_when_their_mark_is_removed(tmp_path):
    write_cells(
        tmp_path / "reviews.csv", ("title", *HEADER), [[f"A title of {n}", *row] for n, row in enumerate(cells())]
    )
    proposal = propose(tmp_path, folder=tmp_path)
    assert all("  # " in line for line in proposal.text.splitlines() if re.match(r" +(kind|path|group):", line))
    commented = [line for line in proposal.text.splitlines() if re.match(r" *# [\w\"]+: ", line)]
    names = [line.split("# ")[1].split(":")[0] for line in commented]
    assert {"stars", "score", "title", "model"} <= set(names)
    for line in commented:
        key = re.sub(r"# ", "", line, count=1).strip()
        (value,) = parse_yaml(key, "test").values()
        if isinstance(value, dict):
            taken = {name: task for name, task in proposal.to_dict()["tasks"].items() if name not in key[:10]}
            data = proposal.to_dict() | {"tasks": taken | parse_yaml(key, "test")}
            assert load_task(data, proposal)


def load_task(data, proposal):
    from equipoise.config import make_config

    if any(task["kind"] == "generation" for task in data["tasks"].values()):
        data = data | {"model": "smollm2-135m"}
    return make_config(data, folder=proposal.folder).tasks


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ({"text": "a text of words", "target": "words", "label": "x y"}, {"pair": "target"}),
        (
            {"sentence1": "one two three", "sentence2": "four five six", "label": "x y"},
            {"text": "sentence1", "pair": "sentence2"},
        ),
        (
            {"premise": "one two three", "hypothesis": "four five six", "label": "x y"},
            {"text": "premise", "pair": "hypothesis"},
        ),
        ({"id": "7", "Body": "one two three", "url": "https://a.b/c", "label": "x y"}, {"text": "Body"}),
        ({"text_id": "a7", "review_text": "one two three", "label": "x y"}, {"text": "review_text"}),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_texts_and_pairs_are_found(columns, expected):
    table = {name: [] for name in columns}
    for number in range(60):
        for name, cell in columns.items():
            words = cell.split()
            picked = words[number % 2] if name == "label" else f"{cell} {number}"
            table[name].append(["text", "words"][number % 2] if name == "target" else picked)
    proposal = propose({"data": pyarrow.table(table)})
    (task,) = proposal.config().tasks.values()
    assert {key: getattr(task, key) for key in expected} == expected
    assert ("pair" in expected) == (task.pair is not None)


def test_splits_of_one_set_are_one_source_and_files_with_the_same_columns_are_joined(tmp_path):
    for seed, name in enumerate(("hotel_train.csv", "hotel_dev.csv", "hotel_test.csv", "north.csv", "south.csv")):
        write_cells(tmp_path / name, HEADER, [[f"{name}: {row[0]}", *row[1:]] for row in cells(60, seed=seed)])
    (tmp_path / "films").mkdir()
    for split in ("train", "valid"):
        rows = [dict(zip(HEADER, [f"{split} {row[0]}", *row[1:]], strict=True)) for row in cells(40)]
        write_lines(tmp_path / "films" / f"{split}.jsonl", rows)
    proposal = propose([tmp_path, tmp_path / "films"], folder=tmp_path)
    found = {
        name: {key: value for key, value in keys.items() if key in ("path", "train", "dev", "test")}
        for name, keys in sources_of(proposal).items()
    }
    assert found == {
        "hotel": {"train": "hotel_train.csv", "dev": "hotel_dev.csv", "test": "hotel_test.csv"},
        "north": {"path": ["north.csv", "south.csv"]},
        "films": {"train": "films/train.jsonl", "dev": "films/valid.jsonl"},
    }
    names = [task.name for task in proposal.tasks]
    assert len(names) == len(set(names)) == 9
    assert any("joined" in note for note in proposal.notes)


def test_what_cannot_be_used_is_told_once_each(tmp_path):
    write_cells(tmp_path / "reviews.csv", HEADER, cells(60))
    (tmp_path / "empty.csv").write_text("")
    (tmp_path / "notes.docx").write_bytes(b"PK")
    (tmp_path / "broken.json").write_text("[{")
    (tmp_path / "damaged.parquet").write_bytes(b"PAR1")
    write_cells(
        tmp_path / "no_header.csv", ("A good film", "positive"), [["It was bad", "negative"], ["Good", "positive"]] * 9
    )
    write_cells(tmp_path / "numbers.csv", ("a", "b"), [[number, number**2] for number in range(50)])
    names = ["empty.csv", "notes.docx", "broken.json", "damaged.parquet", "no_header.csv", "numbers.csv", "absent.csv"]
    proposal = propose([tmp_path / name for name in ("reviews.csv", *names)], folder=tmp_path)
    assert tasks_of(proposal).keys() == {"score", "polarity", "stars"}
    for name in names:
        (message,) = [note for note in proposal.notes if name.split(".")[0] in note]
        assert len(message) < 500
    assert any("looks like a row ('positive' also stands below)" in note for note in proposal.notes)
    with pytest.raises(DataError, match=r"empty\.csv"):
        propose(tmp_path / "empty.csv")
    with pytest.raises(UsageError, match="no file"):
        propose([])


@pytest.mark.parametrize(
    "make", [pandas.DataFrame, polars.DataFrame, pyarrow.Table.from_pylist], ids=["pandas", "polars", "arrow"]
)
def test_tables_in_memory_give_what_their_parquet_file_gives(make, tmp_path):
    rows = [{**row, "comment": {"body": row["text"]}} for row in reviews(80)]
    for row in rows:
        del row["text"]
    proposal = propose({"reviews": make(rows)}, folder=tmp_path)
    assert proposal.config().tasks["stars"].text == "comment.body"
    pandas.DataFrame(rows).to_parquet(tmp_path / "reviews.parquet")
    from_file = propose(tmp_path / "reviews.parquet", folder=tmp_path)
    assert proposal.to_dict() == from_file.to_dict()
    assert "to_parquet" in proposal.text


def test_a_table_that_is_none_is_refused():
    with pytest.raises(UsageError, match="expected a DataFrame"):
        propose({"reviews": 7})


def test_tables_by_split_are_one_source():
    tables = {split: [{**row, "text": f"{split} {row['text']}"} for row in reviews(60)] for split in ("train", "test")}
    (source,) = propose(tables).sources
    assert (source.name, source.keys["train"], source.keys["test"]) == (
        "data",
        "data_train.parquet",
        "data_test.parquet",
    )


def test_a_table_is_trained_as_is_proposed(tmp_path, tiny_model):
    frame = pandas.DataFrame([{name: row[name] for name in HEADER} for row in reviews(120)])
    settings = propose({"reviews": frame}, output=tmp_path / "run").for_tables()
    settings |= {"model": str(tiny_model), "train": {"max_steps": 2, "evaluations": 1}}
    run = equipoise.train({"reviews": frame}, settings=settings)
    assert {record["task"] for record in run.records} == {"score", "polarity", "stars"}


def test_a_large_file_is_read_in_parts(tmp_path, monkeypatch):
    monkeypatch.setattr(sampled_lines, "WHOLE_BYTES", 20_000)
    monkeypatch.setattr(sampled_lines, "SPOT_BYTES", 1_000)
    rows = cells(3000)
    write_cells(tmp_path / "reviews.csv", HEADER, rows)
    write_lines(tmp_path / "lines.jsonl", reviews(3000))
    for name in ("reviews.csv", "lines.jsonl"):
        proposal = propose(tmp_path / name, folder=tmp_path)
        (source,) = proposal.sources
        assert 2000 < source.rows < 4000  # so small a beginning is read in few pieces
        assert "about" in source.why["path"]
        assert "classes" not in proposal.to_dict()["tasks"]["polarity"]
        assert not proposal.fault


def test_spellings_of_a_class_are_only_a_comment(tmp_path):
    spelled = itertools.cycle(["positive", "Positive", "POS", "negative", "neg", "neg", "negative ", "n/a"])
    rows = [[f"this is text number {number} of the file", next(spelled)] for number in range(160)]
    write_cells(tmp_path / "reviews.csv", ("text", "label"), rows)
    (source,) = propose(tmp_path, folder=tmp_path).sources
    assert "map" not in source.keys
    (mapped,) = [one for one in source.alternatives if "map" in one.keys]
    assert mapped.keys["map"] == {"label": {"Positive": "positive", "POS": "positive", "neg": "negative"}}
    assert "20 rows" in mapped.why


class Answers:
    """Answers questions, and keeps them."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.asked = []

    def __call__(self, question):
        self.asked.append(question)
        return self.answers.pop(0) if self.answers else question.default


def test_what_is_doubtful_is_asked_at_most_three_times(tmp_path):
    for name in "abcde":
        rows = [
            {
                f"{name}_review": f"Some words of text {n}",
                f"{name}_comment": f"Other words are here {n}",
                f"level_{name}": n % 2,
                "product": f"p{n % 40}",
            }
            for n in range(120)
        ]
        write_lines(tmp_path / f"{name}.jsonl", rows)
    answers = Answers([1])
    proposal = propose(tmp_path, folder=tmp_path, ask=answers)
    assert len(answers.asked) == MOST_QUESTIONS
    assert proposal.tasks[0].keys["text"] == "a_comment"
    assert proposal.tasks[1].keys["text"] == "b_review"


def test_tasks_and_group_can_be_chosen(tmp_path):
    rows = [
        {"text": f"Some words of text {n}", "flag": n % 2, "stars": n % 5 + 1, "product": f"p{n % 40}", "likes": n % 90}
        for n in range(200)
    ]
    write_lines(tmp_path / "reviews.jsonl", rows)
    answers = Answers([1, 2], [1])
    proposal = propose(tmp_path / "reviews.jsonl", folder=tmp_path, ask=answers)
    assert [question.several for question in answers.asked] == [True, False]
    assert tasks_of(proposal) == {"stars": "ordinal", "likes": "regression"}
    assert sources_of(proposal)["reviews"]["group"] == "product"
    assert [one.name for one in proposal.doubtful] == ["flag"]


def test_a_group_that_leaves_a_split_empty_is_not_taken(tmp_path):
    rows = [{"text": f"Some words of text {n}", "stars": n % 5 + 1, "author": f"p{min(n, 40)}"} for n in range(400)]
    write_lines(tmp_path / "reviews.jsonl", rows)
    proposal = propose(tmp_path / "reviews.jsonl", folder=tmp_path)
    assert not proposal.fault
    load_table(proposal.config())


def test_a_task_with_faults_stands_as_a_comment_and_faults_of_all_are_told(tmp_path):
    rows = [
        {"text": f"Some words of text {n}", "stars": n % 5 + 1, "tags": ["a"] if n % 2 else ["b", "c"]}
        for n in range(100)
    ]
    write_lines(tmp_path / "train.jsonl", rows)
    write_lines(tmp_path / "test.jsonl", [{**row, "tags": ["d", "e"]} for row in rows[:40]])
    proposal = propose(tmp_path, folder=tmp_path)
    assert tasks_of(proposal) == {"stars": "ordinal"}
    (left,) = [one for one in proposal.doubtful if one.name == "tags"]
    assert "which train does not have" in left.why
    train = tmp_path / "train.jsonl"
    train.write_text("{no JSON\n" + train.read_text())
    proposal = propose(tmp_path / "train.jsonl", folder=tmp_path)
    assert "line 1" in proposal.fault
    assert "# Mend: " in proposal.text
    parse_yaml(proposal.text, "test")


def test_nothing_is_overwritten(tmp_path):
    data = write_cells(tmp_path / "reviews.csv", HEADER, cells(60))
    proposal = propose(data, folder=tmp_path)
    path = proposal.save(tmp_path / "run.yaml")
    before = path.read_text()
    path.write_text(before + "# mine\n")
    with pytest.raises(OutputError, match="--overwrite"):
        proposal.save(path)
    assert path.read_text().endswith("# mine\n")
    proposal.save(path, overwrite=True)
    assert path.read_text() == before
    with pytest.raises(OutputError, match="no run file"):
        proposal.save(data, overwrite=True)
    assert json.loads(json.dumps(proposal.to_dict()))["sources"]
