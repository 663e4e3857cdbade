"""What helpers of all kinds are worth to a target: their features are judged, whatever their labels are."""

import json

import pytest

from corpus import run_data
from equipoise.affinity import mix
from equipoise.config import make_config


def add_terms(data, folder, kind, label):
    """Add an auxiliary task of another kind: it finds a term in each text, or writes a reply."""
    rows = [
        {"text": f"the {noun} was {word}", "terms": [{"term": noun, "polarity": polarity}], "reply": f"a {word} {noun}"}
        for noun in ("film", "actor", "plot", "price")
        for word, polarity in (("good", "positive"), ("bad", "negative"), ("fine", "neutral"))
    ]
    path = folder / "terms.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    data["sources"]["terms"] = {"path": str(path)}
    data["tasks"]["terms"] = {"source": "terms", "kind": kind, "label": label, "auxiliary": True}
    return data


def estimates_of(found):
    return {(pair.target, pair.helper): pair.estimate for pair in found.results.pairs}


@pytest.mark.parametrize(
    ("kind", "label", "model"), [("extraction", "terms", "tiny_model"), ("generation", "reply", "tiny_llm")]
)
def test_a_helper_may_be_of_a_kind_that_no_linear_model_learns(tmp_path, request, kind, label, model):
    data = run_data(tmp_path, request.getfixturevalue(model), epochs=1) | {"max_length": 128}
    config = make_config(add_terms(data, tmp_path, kind, label))
    found = mix(config, passes=0.5, budget=0.01, candidates="auxiliary", targets=["polarity"])
    assert estimates_of(found)[("polarity", "terms")] is not None


@pytest.mark.parametrize("prompted", [["polarity"], ["towards"], ["polarity", "towards", "intensity"]])
def test_prompted_tasks_are_estimated_too(tmp_path, tiny_llm, prompted):
    data = run_data(tmp_path, tiny_llm, epochs=1) | {"max_length": 128}
    for name in prompted:
        data["tasks"][name]["format"] = "prompt"
    found = mix(make_config(data), passes=0.3, budget=0.01, targets=["polarity"])
    assert all(estimate is not None for estimate in estimates_of(found).values())
