import csv
import random

import pytest

from corpus import write_corpus
from equipoise.affinity import mix
from equipoise.config import make_config

PASSES = 12


def write_tasks(folder, model, **train):
    """A run file with a target of few rows; a twin, which is the same task on many others; and one of random labels."""
    sources = {}
    for name, rows, seed in (("few", 120, 0), ("many", 500, 1), ("noise", 500, 2)):
        (folder / name).mkdir(parents=True)
        path = write_corpus(folder / name, rows, seed)
        if name == "noise":
            with path.open(encoding="utf-8") as file:
                lines = list(csv.DictReader(file))
            draw = random.Random(0)
            with path.open("w", encoding="utf-8", newline="") as file:
                writer = csv.DictWriter(file, lines[0])
                writer.writeheader()
                writer.writerows({**line, "label": draw.choice(["x", "y", "z"])} for line in lines)
        sources[name] = {"path": str(path)}
    sources["few"]["split"] = [0.5, 0.45, 0.05]
    auxiliary = {"kind": "classification", "auxiliary": True}
    return {
        "model": str(model),
        "max_length": 32,
        "sources": sources,
        "tasks": {
            "target": {"source": "few", "kind": "classification"},
            "twin": {"source": "many", **auxiliary},
            "noise": {"source": "noise", **auxiliary},
        },
        "train": {"epochs": 4, "batch_size": 16, "learning_rate": 3e-3, "head_learning_rate": 3e-3, **train},
        "evaluation": {"bootstrap": 100},
        "output": str(folder / "run"),
    }


@pytest.fixture(scope="session")
def write_mix():
    """A function that returns such a run file for a folder."""
    return write_tasks


@pytest.fixture(scope="session")
def mixed(tmp_path_factory, tiny_model):
    """A finished mix with all pairs trained."""
    data = write_tasks(tmp_path_factory.mktemp("mix"), tiny_model)
    return mix(make_config(data), passes=PASSES, budget=1)
