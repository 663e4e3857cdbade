from pathlib import Path

import pytest

from equipoise.config import dump_config, keys_as_markdown, list_keys, load_config, make_config
from equipoise.errors import UsageError

RUN = """
sources:
  finance: {train: fin/train.jsonl, dev: fin/dev.jsonl, test: fin/test.jsonl}
tasks:
  intensity: {source: finance, kind: regression, pair: target, label: score, range: [-1, 1]}
  polarity:
    source: finance
    kind: classification
    pair: target
    label: score
    from_score: {classes: [negative, neutral, positive], thresholds: [-0.2, 0.2]}
balance: dao
train: {epochs: 3, learning_rate: 1e-4}
output: runs/finance
"""


@pytest.fixture
def run_file(tmp_path):
    path = tmp_path / "run.yaml"
    path.write_text(RUN)
    return path


def test_paths_are_relative_to_the_run_file(run_file, tmp_path):
    config = load_config(run_file)
    assert config.sources["finance"].train == tmp_path / "fin/train.jsonl"
    assert config.output == tmp_path / "runs/finance"
    assert config.model == "minilm"


def test_numbers_that_yaml_takes_for_text_are_numbers(run_file):
    assert load_config(run_file).train.learning_rate == 1e-4


def test_what_is_written_reads_back_the_same_from_anywhere(run_file, tmp_path):
    config = load_config(run_file, ["balance.clip=[0.1, 10]"])
    copy = tmp_path / "elsewhere" / "config.yaml"
    copy.parent.mkdir()
    copy.write_text(dump_config(config))
    assert load_config(copy) == config


def test_overrides_win(run_file):
    config = load_config(run_file, ["train.epochs=1", "balance=equal", "sources.finance.limit.train=10"])
    assert config.train.epochs == 1
    assert config.balance.name == "equal"
    assert config.sources["finance"].limit.train == 10
    config = load_config(run_file, ["balance.example_weights=false"])
    assert (config.balance.name, config.balance.options) == ("dao", {"example_weights": False})


def test_environment_variables_are_filled_in(run_file, monkeypatch):
    monkeypatch.setenv("SOME_DATA", "/data")
    config = load_config(run_file, ["sources.finance.train=${SOME_DATA}/train.jsonl"])
    assert config.sources["finance"].train == Path("/data/train.jsonl")
    monkeypatch.delenv("SOME_DATA")
    with pytest.raises(UsageError, match="SOME_DATA is not set"):
        load_config(run_file, ["sources.finance.train=${SOME_DATA}/train.jsonl"])


def test_a_folder_beside_the_run_file_is_a_model(run_file, tmp_path):
    (tmp_path / "my-model").mkdir()
    assert load_config(run_file, ["model=my-model"]).model == str(tmp_path / "my-model")
    assert load_config(run_file, ["model=owner/name"]).model == "owner/name"


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("train.epoch=1", "train.epoch: unknown key. Did you mean 'epochs'?"),
        ("modle=x", "modle: unknown key. Did you mean 'model'?"),
        ("tasks.intensity.rnge=[0, 1]", "tasks.intensity.rnge: unknown key. Did you mean 'range'?"),
        ("sources.finance.limit.trian=1", "sources.finance.limit.trian: unknown key. Did you mean 'train'?"),
        ("train.epochs=-1", "train.epochs: found -1, expected greater than 0"),
        ("train.seed=one", "train.seed: found 'one', expected a valid integer"),
        ("train=5", "train: found 5, expected keys."),
        ("train.schedule=square", "train.schedule: found 'square', expected 'linear', 'cosine' or 'constant'"),
        ("tasks.intensity.kind=regresion", "'kind' is 'regresion', which does not exist. Did you mean 'regression'?"),
        ("tasks.intensity.source=finanze", "'finanze' is not a source. Did you mean 'finance'?"),
        ("tasks.intensity.range=[1, -1]", "'range' is [1.0, -1.0], expected the lowest score, then the highest"),
        ("tasks.intensity.metric=accuracy", "'metric' is 'accuracy', expected one of pearson, spearman"),
        ("tasks.intensity.classes=[a, b]", "'classes' goes with kind: classification"),
        ("tasks.polarity.range=[0, 1]", "'range' goes with kind: regression"),
        ("tasks.polarity.from_score.thresholds=[0.2]", "found 1 thresholds for 3 classes, expected 2"),
        ("tasks.polarity.from_score.thresholds=[0.2, -0.2]", "expected ascending numbers"),
        ("tasks.polarity.from_score.classes=[a, a, b]", "expected two or more different names"),
        ("tasks.extra.kind=regression", "tasks.extra.source: missing"),
        ("tasks.a b={source: finance, kind: regression}", "tasks.a b"),
        ("sources.finance.path=x.csv", "found path and train, expected exactly one of"),
        ("sources.finance.split=[0.5, 0.1, 0.1]", "expected three shares that add up to 1"),
        ("train.warmup=1", "train.warmup: found 1, expected less than 1"),
        ("evaluation.baselines=[vadr]", "expected 'majority' or 'vader'"),
        ("train.epochs", "expected KEY=VALUE"),
        ("model.size=3", "'model' holds 'minilm', which has no keys of its own"),
    ],
)
def test_mistakes_are_answered_with_key_found_expected(run_file, override, message):
    overrides = ["model=minilm", override] if override.startswith("model.") else [override]
    with pytest.raises(UsageError) as caught:
        load_config(run_file, overrides)
    assert message in str(caught.value)
    assert caught.value.exit_code == 2


def test_every_mistake_is_told_at_once(run_file):
    with pytest.raises(UsageError) as caught:
        load_config(run_file, ["train.epochs=-1", "train.sed=1"])
    assert len(str(caught.value).splitlines()) == 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [", "not valid YAML"),
        ("- a", "found a list, expected keys"),
        ("", "found nothing, expected keys"),
        ("model: a\nmodel: b", "line 2: key 'model' is given twice"),
        ("output: x\nsources: {}\ntasks: {}", "tasks: found none"),
    ],
)
def test_broken_run_files(tmp_path, text, message):
    path = tmp_path / "run.yaml"
    path.write_text(text)
    with pytest.raises(UsageError, match=message):
        load_config(path)


def test_a_missing_run_file(tmp_path):
    with pytest.raises(UsageError, match=r"nowhere.yaml: cannot read the run file"):
        load_config(tmp_path / "nowhere.yaml")


def test_plain_data_is_checked_the_same_way():
    with pytest.raises(UsageError, match="run file: sources: missing"):
        make_config({"tasks": {}, "output": "x"})


def test_every_key_has_a_sentence():
    assert [key.path for key in list_keys() if not key.description.endswith(".")] == []
    assert "| `train.epochs` | `3.0` | Passes over the training rows" in keys_as_markdown()
