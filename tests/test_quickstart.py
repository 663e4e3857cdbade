"""The quickstart's run on the real starter model and a slice of the real corpus."""

import json
from importlib.resources import files

import pytest

import equipoise
from equipoise.training import train

pytestmark = pytest.mark.starter


@pytest.fixture(scope="module")
def run(tmp_path_factory, minilm, vader_corpus):
    folder = tmp_path_factory.mktemp("quickstart")
    slices = [f"sources.vader.limit.{split}={rows}" for split, rows in (("train", 800), ("dev", 120), ("test", 300))]
    settings = [*slices, "max_length=48", "train.evaluations=1", "evaluation.bootstrap=200", f"output={folder / 'run'}"]
    return train(str(files("equipoise.starter") / "quickstart.yaml"), settings)


def test_a_slice_is_enough_to_learn_intensity_and_polarity(run):
    def value(model, task, metric):
        (found,) = (
            record["value"]
            for record in run.records
            if (record["split"], record["subset"]) == ("test", "all")
            and (record["model"], record["task"], record["metric"]) == (model, task, metric)
        )
        return found

    assert value("run", "intensity", "pearson") > 0.6 > value("vader", "intensity", "pearson") > 0.3
    assert value("run", "polarity", "macro_f1") > value("majority", "polarity", "macro_f1") + 0.2
    assert value("run", "intensity", "mse") < value("majority", "intensity", "mse")


def test_every_domain_has_its_own_records(run):
    subsets = {record["subset"] for record in run.records}
    assert {f"domain={name}" for name in ("tweets", "products", "films", "editorials")} < subsets


def test_the_model_tells_praise_from_blame(run):
    praise, blame = equipoise.load(run.folder).predict(["I love it, it is wonderful!", "I hate it, it is awful!"])
    assert praise["intensity"]["score"] > 0.5 > -0.5 > blame["intensity"]["score"]
    assert (praise["polarity"]["label"], blame["polarity"]["label"]) == ("positive", "negative")
    assert json.dumps(praise)
