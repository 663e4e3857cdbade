import pytest

from corpus import asked_data, words_data, write_corpus
from equipoise.config import make_config
from equipoise.evolution import evolve

MERGE = {
    "candidates": 20,
    "finalists": 2,
    "weak": {"rows": 12},
    "baselines": ["uniform", "task_arithmetic", "ties", "peft_linear"],
    "scales": [0.3, 1.0],
}


@pytest.fixture(scope="session")
def write_modules():
    """A function that returns a run file with three module tasks in two groups for a folder."""

    def write(folder, model, **merge):
        data = words_data(folder, model, epochs=1, evaluations=1)
        (folder / "more").mkdir()
        data["sources"]["more"] = {"path": str(write_corpus(folder / "more", rows=60, seed=1))}
        towards = {"source": "more", "kind": "classification", "pair": "aspect", "label": "label"}
        data["tasks"] = {"towards": towards, **data["tasks"]}
        # A group may be called what a task of another is called.
        for task, group in {"towards": "words", "words": "whole", "intensity": "whole"}.items():
            data["tasks"][task]["group"] = group
        return {**data, "merge": {**MERGE, **merge}}

    return write


@pytest.fixture(scope="session")
def write_asked():
    """A function that returns a run file in which a language model is asked for three tasks, one of them to write."""

    def write(folder, model, **merge):
        data = asked_data(folder, model, max_steps=4, evaluations=1)
        data["tasks"] = {name: data["tasks"][name] for name in ("tone", "strength", "title")}
        for task, group in {"tone": "labels", "strength": "labels", "title": "texts"}.items():
            data["tasks"][task]["group"] = group
        data["sources"]["reviews"]["limit"] = {"train": 40, "dev": 12, "test": 12}
        return {**data, "lora": {"rank": 2}, "merge": {**MERGE, **merge}}

    return write


@pytest.fixture(scope="package")
def merged(tmp_path_factory, tiny_model, write_modules):
    """A finished merge in the format `head`."""
    return evolve(make_config(write_modules(tmp_path_factory.mktemp("modules"), tiny_model)))


@pytest.fixture(scope="package")
def asked(tmp_path_factory, tiny_llm, write_asked):
    """A finished merge of language models that are asked."""
    return evolve(make_config(write_asked(tmp_path_factory.mktemp("asked"), tiny_llm)))
