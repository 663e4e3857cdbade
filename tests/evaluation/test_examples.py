import numpy as np
import pytest

from equipoise.config import make_config
from equipoise.data import load_table
from equipoise.evaluation import choose_examples, score_split
from equipoise.kinds import get_metric

WORDS = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"]


@pytest.fixture
def table(tmp_path):
    for split, words in (("train", ["alpha", "beta"]), ("dev", ["gamma"]), ("test", WORDS)):
        lines = [f"{word} in a row,{word} title,0.{i},{split}" for i, word in enumerate(words)]
        (tmp_path / f"{split}.csv").write_text("\n".join(["text,title,score,part", *lines]) + "\n")
    config = make_config(
        {
            "sources": {"s": {"path": str(tmp_path), "subsets": ["part"]}},
            "tasks": {
                "title": {"source": "s", "kind": "generation", "label": "title"},
                "score": {"source": "s", "kind": "regression", "label": "score"},
            },
            "evaluation": {"baselines": ["majority", "vader", "lead"], "bootstrap": 100},
            "output": str(tmp_path / "run"),
        }
    )
    return load_table(config), config


def test_best_median_and_worst(table):
    table, _ = table
    # 12 outputs with 0, 1/12 … 11/12 of the target's two words: ROUGE-L falls with the number of words.
    outputs = np.array([f"{word} title" + " more" * i for i, word in enumerate(WORDS)], dtype=object)
    examples = choose_examples({"title": outputs, "score": np.zeros(12)}, table, "test")
    assert list(examples) == ["title"]
    assert [(one["part"], one["target"].split()[0]) for one in examples["title"]] == [
        *(("best", "one"), ("best", "two"), ("best", "three")),
        *(("median", "six"), ("median", "seven")),
        *(("worst", "ten"), ("worst", "eleven"), ("worst", "twelve")),
    ]
    first = examples["title"][0]
    assert first == {
        "part": "best",
        "rouge_l": 1.0,
        "text": "one in a row",
        "pair": None,
        "target": "one title",
        "output": "one title",
    }
    scores = [one["rouge_l"] for one in examples["title"]]
    assert scores == sorted(scores, reverse=True)


def test_equals_are_drawn_by_the_seed(table):
    table, _ = table
    outputs = {"title": np.full(12, "title", dtype=object)}
    one, same, other = (choose_examples(outputs, table, "test", seed=seed) for seed in (1, 1, 2))
    assert one == same != other


@pytest.mark.parametrize(
    ("split", "parts"), [("dev", ["best"]), ("train", ["best", "best"]), ("test", None)], ids=["1", "2", "12"]
)
def test_few_rows_are_all_shown_once(table, split, parts):
    table, _ = table
    n = len(table.labels("title", split))
    examples = choose_examples({"title": np.full(n, "", dtype=object)}, table, split)["title"]
    assert len({one["text"] for one in examples}) == len(examples) == min(8, n)
    assert parts is None or [one["part"] for one in examples] == parts


def test_baselines_and_rates_stand_in_the_records_of_a_split(table):
    table, config = table
    outputs = np.array([f"{word} in" for word in WORDS], dtype=object)
    records = score_split({"title": outputs, "score": np.arange(12.0)}, table, "test", config)
    models = {task: {record["model"] for record in records if record["task"] == task} for task in ("title", "score")}
    assert models == {"title": {"run", "lead"}, "score": {"run", "majority", "vader"}}
    values = {
        (record["model"], record["metric"], record["subset"]): record["value"]
        for record in records
        if record["task"] == "title"
    }
    # Training targets have two words, so lead writes what the run wrote.
    for metric in ("rouge_l", "rouge_1", "rouge_2", "empty", "copied"):
        for subset in ("all", "part=test"):
            assert values["run", metric, subset] == values["lead", metric, subset]
    assert values["run", "copied", "all"] == 1
    assert values["run", "rouge_l", "all"] == get_metric("rouge_l")(table.labels("title", "test"), outputs) == 0.5
