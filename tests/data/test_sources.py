import errno
import json
from pathlib import Path

import datasets
import pytest

from data_cases import LABEL, SCORE
from equipoise.config import SourceConfig
from equipoise.data import sources
from equipoise.data.sources import read_source
from equipoise.errors import DataError, UsageError


@pytest.mark.parametrize("dev", ["dev", "valid", "validation", "val", "Dev"])
def test_a_folder_gives_its_splits(write, dev):
    write("d/train.jsonl", [{"text": "a"}])
    write(f"d/{dev}.csv", "text\nb\n")
    folder = write("d/README.md", "").parent
    rows = read_source(SourceConfig(path=folder))
    assert {split: part.columns["text"] for split, (part,) in rows.items()} == {"train": ["a"], "dev": ["b"]}


def test_a_folder_without_train(write):
    folder = write("d/test.csv", "text\nb\n").parent
    with pytest.raises(DataError, match=r"found test.csv, expected a train file"):
        read_source(SourceConfig(path=folder))


def test_a_folder_with_two_files_for_a_split(write):
    write("d/train.csv", "text\nb\n")
    folder = write("d/train.tsv", "text\nb\n").parent
    with pytest.raises(DataError, match=r"found train.csv and train.tsv, expected one file for train"):
        read_source(SourceConfig(path=folder))


def test_folders_that_do_not_go_together(write, tmp_path):
    one = write("one/train.csv", "text\nb\n").parent
    write("one/dev.csv", "text\nb\n")
    two = write("two/train.csv", "text\nc\n").parent
    with pytest.raises(DataError, match=rf"{two}: found no dev file, but {one} beside it has one; expected all"):
        read_source(SourceConfig(path=[one, two]))
    assert [rows.file for rows in read_source(SourceConfig(path=[one, two]), ["train"])["train"]] == [
        str(one / "train.csv"),
        str(two / "train.csv"),
    ]
    with pytest.raises(DataError, match=rf"{one / 'dev.csv'}: found no folder, but {two} beside it is one"):
        read_source(SourceConfig(path=[one / "dev.csv", two]))


def test_a_folder_that_the_system_refuses(tmp_path, monkeypatch):
    def refuse(path):
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr(Path, "iterdir", refuse)
    with pytest.raises(DataError, match=rf"{tmp_path}: cannot be read \(Permission denied\)"):
        read_source(SourceConfig(path=tmp_path))
    with pytest.raises(DataError, match=r"\.csv: cannot be read \("):
        read_source(SourceConfig(path=tmp_path / ("a" * 300 + ".csv")))


def test_a_missing_folder_brings_close_names(write, tmp_path):
    write("finance/train.csv", "text\nb\n")
    with pytest.raises(DataError, match=r"found no such file. Did you mean 'finance'\?"):
        read_source(SourceConfig(path=tmp_path / "finanse"))


def test_a_hub_set(monkeypatch):
    features = datasets.Features({"text": datasets.Value("string"), "label": datasets.ClassLabel(names=["neg", "pos"])})
    rows = {"text": ["x", "y"], "label": [1, -1]}
    hub = datasets.DatasetDict(
        {name: datasets.Dataset.from_dict(rows, features=features) for name in ("train", "validation", "extra")}
    )
    asked = []
    monkeypatch.setattr(datasets, "load_dataset", lambda *arguments: asked.append(arguments) or hub)
    found = read_source(SourceConfig(hub="org/set", hub_config="en"))
    assert asked == [("org/set", "en")]
    assert list(found) == ["train", "dev"]
    (dev,) = found["dev"]
    assert dev.columns == {"text": ["x", "y"], "label": ["pos", None]}
    assert dev.where(0) == "hub set 'org/set', split 'validation', row 1"
    assert list(read_source(SourceConfig(hub="org/set"), ["train"])) == ["train"]


def test_some_rows_of_a_hub_set_are_streamed(monkeypatch, tmp_path):
    """The stream is read as far as the buffer needs, and no split that is not asked for."""
    for name in ("train", "validation", "test"):
        lines = (json.dumps({"text": f"{name} {number}", "label": number % 2}) for number in range(300))
        (tmp_path / f"{name}.jsonl").write_text("\n".join(lines))
    read = []

    def load(name, config, streaming):
        assert (name, config, streaming) == ("org/set", None, True)
        features = {"text": datasets.Value("string"), "label": datasets.ClassLabel(names=["neg", "pos"])}
        files = {name: str(tmp_path / f"{name}.jsonl") for name in ("train", "validation", "test")}
        made = load_dataset("json", data_files=files, streaming=True, features=datasets.Features(features))
        return {
            key: stream.map(lambda row, key=key: read.append(key) or row, features=stream.features)
            for key, stream in made.items()
        }

    load_dataset = datasets.load_dataset
    monkeypatch.setattr(datasets, "load_dataset", load)
    monkeypatch.setattr(sources, "_BUFFER", 20)
    found = read_source(SourceConfig(hub="org/set", hub_rows=50), ["train", "dev"])
    assert list(found) == ["train", "dev"]
    (train,), (dev,) = found.values()
    assert len(train) == len(dev) == 50
    assert len(set(train.columns["text"])) == 50
    assert train.columns["text"] != sorted(train.columns["text"], key=lambda text: int(text.split()[1]))
    assert {int(text.split()[1]) for text in train.columns["text"]} <= set(range(75))
    assert set(train.columns["label"]) == {"neg", "pos"}
    assert set(read) == {"train", "validation"}
    assert len(read) <= 150
    again = read_source(SourceConfig(hub="org/set", hub_rows=50), ["train"])
    assert again["train"][0].columns == train.columns


def test_a_hub_set_of_fewer_rows_is_read_whole(monkeypatch):
    stream = datasets.Dataset.from_dict({"text": ["x", "y"]}).to_iterable_dataset()
    monkeypatch.setattr(datasets, "load_dataset", lambda *_, streaming: {"train": stream})
    (train,) = read_source(SourceConfig(hub="org/set", hub_rows=50))["train"]
    assert sorted(train.columns["text"]) == ["x", "y"]


def test_rows_of_a_hub_set_need_one():
    with pytest.raises(ValueError, match="'hub_rows' goes with 'hub'"):
        SourceConfig(starter="vader", hub_rows=5)


def test_a_hub_set_without_train(monkeypatch):
    hub = datasets.DatasetDict({"test": datasets.Dataset.from_dict({"text": ["x"]})})
    monkeypatch.setattr(datasets, "load_dataset", lambda *_: hub)
    with pytest.raises(DataError, match="found the splits test, expected one named train"):
        read_source(SourceConfig(hub="org/set"))


def test_a_hub_set_offline_is_one_clear_message():
    with pytest.raises(DataError, match=r"hub set 'no-org/no-set': cannot be loaded .* needs the network"):
        read_source(SourceConfig(hub="no-org/no-set"))


@pytest.mark.parametrize("name", ["vadre", "minilm"])
def test_an_unknown_starter_corpus(name):
    with pytest.raises(UsageError, match=f"no starter corpus '{name}'.*'vader'"):
        read_source(SourceConfig(starter=name))


@pytest.mark.starter
@pytest.mark.usefixtures("vader_corpus")
def test_the_starter_corpus_is_split_by_document(load):
    table = load(
        {"s": {"starter": "vader", "group": "document", "subsets": ["domain"]}},
        {
            "intensity": SCORE | {"range": [-4, 4]},
            "polarity": LABEL | {"label": "score", "from_score": {"classes": ["negative", "neutral", "positive"]}},
            "disagreement": SCORE | {"label": "disagreement", "range": None},
        },
    )
    counts = table.counts()
    assert 23_500 < sum(split["rows"] for split in counts.values()) <= 23_703
    assert 0.78 < counts["train"]["rows"] / 23_703 < 0.82
    for split in counts.values():
        assert set(split["labels"].values()) == {split["rows"]}
    assert set(table.splits["test"]["subset:domain"][:]) == {"tweets", "products", "films", "editorials"}
    shares = [(table.labels("polarity", "train") == k).mean() for k in range(3)]
    assert shares == pytest.approx([1 / 3] * 3, abs=0.02)
    assert not set(table.splits["train"]["text"][:]) & set(table.splits["test"]["text"][:])
