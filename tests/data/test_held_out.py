"""Tasks that other models are for: their dev and test texts are no training rows, and nothing else is read of them."""

import json

import pytest

from equipoise.config import load_config, make_config
from equipoise.data import join_table, load_table, split_sources
from equipoise.errors import UsageError

WORDS = {"good": "pos", "bad": "neg"}


@pytest.fixture
def data(tmp_path):
    """Two sources of a hundred texts each; ten of the first's training texts stand in the second's test."""
    texts = {
        "train": [f"{word} film {number}" for number in range(50) for word in WORDS],
        "dev": [f"{word} play {number}" for number in range(5) for word in WORDS],
        "test": [f"{word} book {number}" for number in range(5) for word in WORDS],
    }
    other = {**{split: [f"a {text}" for text in found] for split, found in texts.items()}, "test": texts["train"][:10]}
    for name, splits in {"first": texts, "second": other}.items():
        (tmp_path / name).mkdir()
        for split, found in splits.items():
            rows = [{"text": text, "label": WORDS["good" if "good" in text else "bad"]} for text in found]
            (tmp_path / name / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    task = {"kind": "classification", "classes": ["neg", "pos"]}
    return {
        "sources": {name: {"path": str(tmp_path / name)} for name in ("first", "second")},
        "tasks": {"one": {**task, "source": "first"}},
        "held_out": {"two": {**task, "source": "second"}},
        "output": str(tmp_path / "run"),
    }


def test_held_out_texts_are_no_training_rows(data, tmp_path):
    table = load_table(make_config(data, tmp_path))
    assert list(table.tasks) == ["one"]
    assert {split: len(rows) for split, rows in table.splits.items()} == {"train": 90, "dev": 10, "test": 10}
    assert "Source 'first', train: rows dropped because their text or group stands in dev or test: 10." in table.notes
    joint = {**data, "tasks": {**data["tasks"], **data["held_out"]}, "held_out": {}}
    together = load_table(make_config(joint, tmp_path))
    for split in table.splits:
        assert table.items("one", split) == together.items("one", split)
    alone = load_table(make_config({**data, "held_out": {}}, tmp_path))
    assert len(alone.splits["train"]) == 100


def test_limits_count_rows_of_held_out_tasks_of_the_same_source(data, tmp_path):
    data["sources"]["first"]["limit"] = {"train": 30}
    data["held_out"]["two"]["source"] = "first"
    data["held_out"]["two"]["label"] = "kind"
    for split in ("train", "dev", "test"):
        file = tmp_path / "first" / f"{split}.jsonl"
        rows = [json.loads(line) for line in file.read_text().splitlines()]
        for number, row in enumerate(rows):
            row["kind"] = row["label"]
            if number % 4 < 2 and split == "train":
                row["label"] = None
        file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    found = load_table(make_config(data, tmp_path))
    joint = {**data, "tasks": {**data["tasks"], **data["held_out"]}, "held_out": {}}
    assert found.items("one", "train") == load_table(make_config(joint, tmp_path)).items("one", "train")
    assert len(found.splits["train"]) < 30


@pytest.mark.parametrize(
    ("held_out", "message"),
    [
        ({"two": {"kind": "classification", "source": "secnd"}}, r"held_out\.two\.source.*Did you mean 'second'"),
        ({"one": {"kind": "classification", "source": "second"}}, r"held_out\.one: it is a task of this run, too"),
        ({"two": {"kind": "classification", "sorce": "second"}}, r"held_out\.two\.sorce.*Did you mean 'source'"),
    ],
)
def test_bad_held_out_tasks_are_told(data, tmp_path, held_out, message):
    file = tmp_path / "run.yaml"
    file.write_text(json.dumps({**data, "held_out": held_out}))
    with pytest.raises(UsageError, match=message):
        load_config(file)


def test_a_task_has_labels_in_the_splits_where_it_is_scored_whatever_it_is_in_other_tables(data, tmp_path):
    """The rows of both tables are the same; the second trains with labels that it does not score."""
    source = tmp_path / "first"
    for path in source.iterdir():
        rows = [json.loads(line) for line in path.read_text().splitlines()]
        path.write_text("".join(json.dumps({**row, "stars": len(row["text"])}) + "\n" for row in rows))
    stars = {"kind": "regression", "source": "first", "label": "stars", "range": [0, 50]}
    both = make_config({**data, "tasks": {**data["tasks"], "stars": stars}, "held_out": {}}, tmp_path)
    splits = split_sources(both)
    tasks = {name: task.model_copy(update={"auxiliary": name == "one"}) for name, task in both.tasks.items()}
    table = join_table(both.model_copy(update={"tasks": tasks}), splits)
    assert [len(table.rows("one", split)) for split in ("train", "dev")] == [100, 0]
    assert len(table.rows("stars", "dev")) == 10
