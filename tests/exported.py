"""Models of several kinds to export, and texts to compare by."""

import numpy as np
import torch

from equipoise.kinds import Classification, Extraction, Multilabel, Ordinal, Regression
from equipoise.modeling import MultiTaskModel, load_backbone

TASKS = {
    "stars": Regression("stars", "s", "text", None, "stars", "pearson", (1.0, 5.0), mean=3.0, std=1.2),
    "price": Regression("price", "s", "text", None, "price", "pearson", mean=20_000.0, std=9_000.0),
    "polarity": Classification("polarity", "s", "text", "aspect", "label", "macro_f1", ("bad", "so so", "good")),
    "emotions": Multilabel("emotions", "s", "text", None, "l", "macro_f1", ("joy", "anger"), thresholds=(0.5, 0.5)),
    "grade": Ordinal("grade", "s", "text", None, "grade", "qwk", ("low", "middle", "high")),
    "terms": Extraction("terms", "s", "text", None, "terms", "extraction_f1", ("x", "y"), whole_words=True),
}
LONG = "a good film but the very sad plot was too long for my day and the price of the food is not fine "
TEXTS = ["good film", "a bad phone, and a sad place with very slow service!", "the", "Zoë’s café 😀 \t\n x", LONG * 3]

BLOCK = """
import importlib.abc, sys
class Block(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {names!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Block())
"""
HEAVY = ("accelerate", "datasets", "onnx", "pandas", "peft", "safetensors", "scipy", "sklearn", "torch", "transformers")
WITHOUT_TORCH = BLOCK.format(names=HEAVY)
"""Code after which nothing heavy can be imported."""


def make_model(folder, tasks=TASKS, max_length=32, long_texts="cut", seed=0, **options):
    """Make a random model whose predictions differ from text to text."""
    torch.manual_seed(seed)
    model = MultiTaskModel(*load_backbone(str(folder)), tasks, max_length, **options).eval().with_long_texts(long_texts)
    with torch.no_grad():  # as it is drawn, all texts are much the same to it
        for name in tasks:
            list(model.head(name).layers.parameters())[-2].mul_(30)
    return model


def assert_alike(found, expected, atol=1e-4):
    """Compare answers, JSON as `predict` returns it, number by number."""
    if isinstance(expected, dict):
        assert list(found) == list(expected)
        for key, value in expected.items():
            assert_alike(found[key], value, atol)
    elif isinstance(expected, list):
        assert len(found) == len(expected)
        for one, other in zip(found, expected, strict=True):
            assert_alike(one, other, atol)
    elif isinstance(expected, float):
        np.testing.assert_allclose(found, expected, atol=atol, rtol=1e-4)
    else:
        assert found == expected


def spread(answers):
    """How much the predictions differ between texts, so that a parity test cannot pass by constants."""
    return np.ptp([answer["polarity"]["probabilities"]["good"] for answer in answers])
