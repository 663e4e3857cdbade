import json

import pytest

from equipoise.config import make_config
from equipoise.data import load_table
from equipoise.errors import DataError
from equipoise.evolution import evolve
from equipoise.evolution import search_run as running
from equipoise.evolution.folder import MergeFolder
from equipoise.evolution.unseen import UNSEEN, with_unseen

TASKS = ("towards", "words", "intensity")


@pytest.fixture
def limited(tmp_path, tiny_model, write_modules):
    data = write_modules(tmp_path, tiny_model, weak={"rows": 12, "unseen": True}, baselines=["uniform"], stages=["one"])
    data["sources"]["reviews"]["limit"] = {"train": 60}
    data["sources"]["more"]["limit"] = {"train": 30}
    return data


def test_they_are_what_the_limit_leaves_out(limited):
    config = make_config(limited)
    table = load_table(config)
    found = with_unseen(config, table)
    for split in ("train", "dev", "test"):
        assert found.splits[split] is table.splits[split]
        assert not set(found.splits[UNSEEN]["text"]) & set(table.splits[split]["text"])
    whole = {name: {**source, "limit": {}} for name, source in limited["sources"].items()}
    everything = load_table(make_config({**limited, "sources": whole})).splits["train"]
    both = found.splits["train"]["text"][:] + found.splits[UNSEEN]["text"][:]
    assert sorted(set(both)) == sorted(set(everything["text"]))
    assert found.tasks == table.tasks  # label spaces are those of the rows that are learnt


def test_a_text_that_another_task_learns_from_is_not_unseen(limited):
    config = make_config(limited)
    table = load_table(config)
    text = with_unseen(config, table).splits[UNSEEN]["text"][0]
    other = table.splits["train"].map(
        lambda row, number: {"text": text if number == 0 else row["text"]}, with_indices=True
    )
    table.splits["train"] = other
    assert text not in with_unseen(config, table).splits[UNSEEN]["text"][:]


def test_too_few_of_them_are_refused_before_anything_is_trained(limited):
    del limited["sources"]["more"]["limit"]
    with pytest.raises(
        DataError, match=r"'towards': found 0 training rows that no expert learns from, expected 12 .*not"
    ):
        evolve(make_config(limited))
    assert not (make_config(limited).output / "experts").exists()


def test_a_search_is_scored_on_them(limited, monkeypatch):
    asked = []
    predict = running.Workbench.predict

    def listening(self, split, wanted, **settings):
        asked.append((split, tuple(wanted)))
        return predict(self, split, wanted, **settings)

    monkeypatch.setattr(running.Workbench, "predict", listening)
    found = evolve(make_config(limited))
    assert all((UNSEEN, (task,)) in asked for task in TASKS)  # experts, to find the weak ones
    assert asked.count((UNSEEN, TASKS)) >= 20  # candidates
    weak = MergeFolder(found.folder).cells["weak"]["tasks"]
    config = make_config(limited)
    table = with_unseen(config, load_table(config))
    for task in TASKS:
        assert len(weak[task]["rows"]) == 12
        assert max(weak[task]["rows"]) < len(table.rows(task, UNSEEN))
        assert weak[task]["read"] == min(48, len(table.rows(task, UNSEEN)))
    assert found.results["unseen"] is True
    assert "which no expert has learnt from," in (found.folder / "merge.html").read_text(encoding="utf-8")
    data = json.loads((found.folder / "data.json").read_text(encoding="utf-8"))
    assert data["rows"][UNSEEN] == len(table.splits[UNSEEN])
