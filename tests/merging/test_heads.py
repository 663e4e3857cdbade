"""Heads and poolers of checkpoints in a merge."""

import pytest
import torch
from transformers import AutoModel, AutoModelForSequenceClassification, AutoModelForTokenClassification

from adapters import one, save_checkpoint, save_model
from equipoise.errors import ModelError, UsageError
from equipoise.merging import Fate, load_with_head, merge
from equipoise.modeling import MultiTaskModel

HEAD = ("classifier.bias", "classifier.weight")


@pytest.fixture
def classifiers(tmp_path, tiny_model):
    """Two classifiers of a base without a head."""
    for seed, name in enumerate("ab"):
        save_checkpoint(tmp_path / name, tiny_model, AutoModelForSequenceClassification, seed, num_labels=3)
    return [tmp_path / "a", tmp_path / "b"]


def state(folder, loader=AutoModelForSequenceClassification):
    return loader.from_pretrained(folder).state_dict()


def test_heads_that_the_base_lacks_are_kept(classifiers, tmp_path, tiny_model):
    made = merge(classifiers, tmp_path / "out", base=str(tiny_model))
    kept = {(fate.expert, fate.place) for fate in made.tensors if fate.fate is Fate.KEPT}
    assert kept == {(name, f"heads/{name}/{key}") for name in "ab" for key in HEAD}
    merged = state(tmp_path / "out", AutoModel)
    a, b = (state(folder) for folder in classifiers)
    for name in "ab":
        model = load_with_head(tmp_path / "out", name)
        own = {"a": a, "b": b}[name]
        for key, tensor in model.state_dict().items():
            expected = own[key] if key in HEAD else (a[key] + b[key]) / 2
            torch.testing.assert_close(tensor, expected)
        assert model.config.num_labels == 3
    # The pooler, which the base has, is merged.
    torch.testing.assert_close(
        merged["pooler.dense.weight"], (a["bert.pooler.dense.weight"] + b["bert.pooler.dense.weight"]) / 2
    )
    with pytest.raises(ModelError, match=r"keeps no head of 'aa'. Did you mean 'a'"):
        load_with_head(tmp_path / "out", "aa")


def test_heads_are_averaged_or_refused_as_told(classifiers, tmp_path, tiny_model):
    made = merge(classifiers, tmp_path / "out", base=str(tiny_model), heads="average")
    assert {fate.name for fate in made.tensors if fate.fate is Fate.AVERAGED} == set(HEAD)
    a, b, merged = (state(folder) for folder in (*classifiers, tmp_path / "out"))
    for key in merged:
        torch.testing.assert_close(merged[key], (a[key] + b[key]) / 2)
    with pytest.raises(UsageError, match="a, b have a head each"):
        merge(classifiers, tmp_path / "no", base=str(tiny_model), heads="error")
    save_checkpoint(tmp_path / "c", tiny_model, AutoModelForTokenClassification, 3, num_labels=3)
    with pytest.raises(UsageError, match="heads of a, c differ in class, labels or shapes"):
        merge([classifiers[0], tmp_path / "c"], tmp_path / "no", base=str(tiny_model), heads="average")
    assert not (tmp_path / "no").exists()
    made = merge([classifiers[0], tmp_path / "c"], tmp_path / "kept", base=str(tiny_model))
    assert {fate.place for fate in made.tensors if fate.expert == "c" and fate.fate is Fate.KEPT} == {
        f"heads/c/{key}" for key in HEAD
    }
    assert type(load_with_head(tmp_path / "kept", "c")).__name__ == "BertForTokenClassification"


def test_a_head_that_one_expert_has_is_the_results(classifiers, tmp_path, tiny_model):
    bare = save_checkpoint(tmp_path / "bare", tiny_model, seed=7).state_dict()
    merge([classifiers[0], tmp_path / "bare"], tmp_path / "out", base=str(tiny_model))
    a, merged = state(classifiers[0]), state(tmp_path / "out")
    for key, tensor in merged.items():
        expected = a[key] if key in HEAD else (a[key] + bare[key.removeprefix("bert.")]) / 2
        torch.testing.assert_close(tensor, expected)


def test_a_head_that_the_base_has_is_merged(tmp_path, tiny_model):
    base = save_checkpoint(tmp_path / "base", tiny_model, AutoModelForSequenceClassification, 9).state_dict()
    for seed, name in enumerate("ab"):
        save_checkpoint(tmp_path / name, tmp_path / "base", AutoModelForSequenceClassification, seed)
    folders = [tmp_path / "a", tmp_path / "b"]
    made = merge(folders, tmp_path / "out", "task_arithmetic", weights={"a": 1, "b": 0.5}, base=str(tmp_path / "base"))
    assert {fate.fate for fate in made.tensors} == {Fate.MERGED}
    a, b, merged = (state(folder) for folder in (*folders, tmp_path / "out"))
    for key in merged:
        torch.testing.assert_close(merged[key], a[key] + 0.5 * (b[key] - base[key]), atol=1e-6, rtol=1e-5)
    ties = merge(folders, tmp_path / "ties", "ties", base=str(tmp_path / "base"))
    assert {fate.fate for fate in ties.tensors} == {Fate.MERGED}
    assert not torch.equal(state(tmp_path / "ties")["classifier.weight"], base["classifier.weight"])


def test_beside_an_equipoise_model_heads_are_kept(classifiers, tmp_path, tiny_model):
    save_model(tmp_path / "ours", tiny_model, one(polarity="head"), 1, targets=["query"])
    made = merge([tmp_path / "ours", classifiers[0]], tmp_path / "out")
    assert {fate.fate for fate in made.tensors if fate.expert == "ours"} == {Fate.MERGED, Fate.KEPT}
    apart = {fate.place for fate in made.tensors if fate.expert == "a" and fate.fate is Fate.KEPT}
    pooler = {"pooler.dense.bias", "pooler.dense.weight"}
    assert apart == {f"heads/a/{key}" for key in {*HEAD, *pooler}}
    ours, a = MultiTaskModel.from_pretrained(tmp_path / "out"), load_with_head(tmp_path / "out", "a")
    for key, tensor in ours.backbone.state_dict().items():
        assert torch.equal(a.state_dict()[f"bert.{key}"], tensor)
    assert torch.equal(a.state_dict()["bert.pooler.dense.weight"], state(classifiers[0])["bert.pooler.dense.weight"])


def test_kept_heads_are_kept_by_the_next_merge(classifiers, tmp_path, tiny_model):
    save_checkpoint(tmp_path / "bare", tiny_model, seed=7)
    merge(classifiers, tmp_path / "first", base=str(tiny_model))
    made = merge([tmp_path / "first", tmp_path / "bare"], tmp_path / "out", base=str(tiny_model))
    carried = {fate.place for fate in made.tensors if fate.name in HEAD}
    assert carried == {f"heads/first/{name}/{key}" for name in "ab" for key in HEAD}
    model = load_with_head(tmp_path / "out", "first/b").state_dict()
    assert torch.equal(model["classifier.weight"], state(classifiers[1])["classifier.weight"])
    backbone = state(tmp_path / "out", AutoModel)
    assert all(torch.equal(model[f"bert.{key}"], tensor) for key, tensor in backbone.items())
    # The folder is known as a merge's, with its heads.
    merge([tmp_path / "bare"], tmp_path / "out", base=str(tiny_model), overwrite=True)
    assert not (tmp_path / "out" / "heads").exists()


def test_an_expert_of_weight_zero_is_said(classifiers, tmp_path, tiny_model):
    made = merge(classifiers, tmp_path / "out", base=str(tiny_model), weights={"a": 1.0, "b": 0.0})
    assert {fate.fate for fate in made.tensors if fate.expert == "b"} == {Fate.LEFT_OUT, Fate.KEPT}
