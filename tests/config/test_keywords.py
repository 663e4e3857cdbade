from pathlib import Path

import numpy as np
import pytest

from equipoise.config import RunConfig, SourceConfig, TrainConfig, as_overrides, load_config, make_table_config
from equipoise.config.keywords import _ORIGINS
from equipoise.errors import UsageError

FILES = {"data": {"path": Path("data/data.parquet")}}
TWO = {"one": {"path": Path("data/one.parquet")}, "two": {"train": Path("data/two.train.parquet")}}
TASKS = {"stars": {"kind": "regression", "label": "stars", "range": (1, np.int64(5))}}


def make(files=FILES, settings=None, **keys):
    return make_table_config(files, {"tasks": TASKS, "output": "runs/r", **keys}, settings or {})


def test_a_keyword_is_a_key_of_one_section_only():
    of_sources = set(SourceConfig.model_fields) - set(_ORIGINS)
    assert not of_sources & set(RunConfig.model_fields)
    assert not of_sources & set(TrainConfig.model_fields)
    assert not set(TrainConfig.model_fields) & set(RunConfig.model_fields)
    assert not {"text", "pair"} & (of_sources | set(RunConfig.model_fields) | set(TrainConfig.model_fields))


def test_one_table_needs_no_source_and_no_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config = make(text="review", group="author", epochs=2, train={"batch_size": 8}, balance="equal")
    assert config.sources["data"].path == (tmp_path / "runs/r/data/data.parquet",)
    assert config.sources["data"].group == "author"
    assert (config.tasks["stars"].source, config.tasks["stars"].text) == ("data", "review")
    assert (config.train.epochs, config.train.batch_size, config.balance.name) == (2, 8, "equal")


def test_a_task_and_a_source_keep_their_own_keys():
    tasks = {"stars": {**TASKS["stars"], "text": "title", "source": "one"}}
    config = make(TWO, tasks=tasks, text="review", group="author", sources={"two": {"group": "writer"}})
    assert config.tasks["stars"].text == "title"
    assert [source.group for source in config.sources.values()] == ["author", "writer"]


def test_settings_take_dots_and_keywords_win():
    config = make(settings={"train.epochs": 5, "train": {"seed": 3}, "balance.name": "equal"}, epochs=2)
    assert (config.train.epochs, config.train.seed, config.balance.name) == (2, 3, "equal")


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"epoch": 2}, "unknown keyword 'epoch'. Did you mean 'epochs'?"),
        ({"tasks": {"stars": {"kind": "regresion"}}}, "train(): tasks.stars: 'kind' is 'regresion'"),
        ({"output": None}, "output"),
        ({"sources": {"reviews": {"group": "author"}}}, "there is no table 'reviews'"),
        ({"sources": {"data": {"path": "x.csv"}}}, "the rows are those of the table"),
        ({"epochs": "many"}, "train(): train.epochs: found 'many', expected a number"),
    ],
)
def test_a_wrong_keyword_is_named(keys, message):
    with pytest.raises(UsageError) as error:
        make(**keys)
    assert message in str(error.value)


def test_several_tables_need_a_source_for_each_task():
    with pytest.raises(UsageError, match=r"tasks\.stars\.source: missing"):
        make(TWO)


def test_keywords_override_a_run_file(tmp_path):
    (tmp_path / "rows.csv").write_text("text,stars\n")
    (tmp_path / "run.yaml").write_text(
        "sources: {r: {path: rows.csv}}\ntasks: {stars: {source: r, kind: regression, label: stars}}\noutput: run\n"
    )
    found = as_overrides({"epochs": 2, "balance": {"name": "static", "weights": {"stars": 1.5}}}, {"train.seed": 4})
    config = load_config(tmp_path / "run.yaml", found)
    assert (config.train.epochs, config.train.seed, config.balance.options) == (2, 4, {"weights": {"stars": 1.5}})
    with pytest.raises(UsageError, match="'group' goes with a table"):
        as_overrides({"group": "author"}, {})
