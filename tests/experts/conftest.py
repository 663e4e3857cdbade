import pytest

from corpus import asked_data, words_data, write_corpus
from equipoise.config import make_config
from equipoise.experts import train_experts


@pytest.fixture(scope="session")
def write_modules():
    """A function that returns a run file in the format `head` for a folder: three kinds, two sources."""

    def write(folder, model, **settings):
        data = words_data(folder, model, **{"epochs": 1, "evaluations": 1, **settings})
        (folder / "more").mkdir()
        data["sources"]["more"] = {"path": str(write_corpus(folder / "more", rows=60, seed=1))}
        towards = {"source": "more", "kind": "classification", "pair": "aspect", "label": "label", "group": "aspects"}
        data["tasks"] = {"towards": towards, **data["tasks"]}
        return data

    return write


@pytest.fixture(scope="session")
def write_mixed():
    """A function that returns a run file in which a language model is asked, writes, and is read by a head."""

    def write(folder, model, **settings):
        data = asked_data(folder, model, **{"max_steps": 4, "evaluations": 1, **settings})
        data["tasks"] = {name: data["tasks"][name] for name in ("tone", "kinds", "title", "intensity")}
        data["sources"]["reviews"]["limit"] = {"train": 60, "dev": 12, "test": 16}
        return {**data, "lora": {"rank": 2}}

    return write


@pytest.fixture(scope="package")
def modules(tmp_path_factory, tiny_model, write_modules):
    """Finished experts in the format `head`."""
    return train_experts(make_config(write_modules(tmp_path_factory.mktemp("modules"), tiny_model)))


@pytest.fixture(scope="package")
def mixed(tmp_path_factory, tiny_llm, write_mixed):
    """Finished experts of which three are language models and one has a head."""
    return train_experts(make_config(write_mixed(tmp_path_factory.mktemp("mixed"), tiny_llm)))
