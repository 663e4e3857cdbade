"""Every public function and class has an example, and the examples do what they say."""

import csv
import doctest
import importlib
import random

import pytest

import equipoise
from corpus import BAD, GOOD, THINGS
from equipoise import sklearn as estimators

_SETTINGS = "model: minilm\nmax_length: 32\ntrain: {epochs: 1, evaluations: 1}\nevaluation: {bootstrap: 100}\n"
RUN_FILES = {
    "reviews": _SETTINGS
    + """\
sources:
  reviews: {path: reviews.csv, group: author}
tasks:
  stars: {source: reviews, kind: regression, label: stars, range: [1, 5]}
  topic: {source: reviews, kind: classification, label: topic}
output: runs/reviews
""",
    "urgent": """\
sources:
  reviews: {path: reviews.csv, group: author}
tasks:
  urgent: {source: reviews, kind: classification, label: urgent}
output: runs/urgent
""",
}
PUBLIC = {
    **{f"equipoise.{name}": getattr(equipoise, name) for name in equipoise.__all__},
    **{f"equipoise.sklearn.{name}": getattr(estimators, name) for name in estimators.__all__},
}
WITHOUT = {"equipoise.EquipoiseError", "equipoise.Predictor"}
"""Those that are seen in the examples of others."""
SKIPPED = {"equipoise.compare", "equipoise.use_device"}
"""They start processes, or change where everything computes; their own tests call them."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory, tiny_model):
    """A folder as the examples suppose it: reviews.csv, run files, and a finished run; "minilm" is a tiny model."""
    folder, draw = tmp_path_factory.mktemp("examples"), random.Random(0)
    with (folder / "reviews.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["text", "stars", "topic", "urgent", "author"])
        for number in range(100):
            word, stars = draw.choice([(draw.choice(GOOD), 5), (draw.choice(BAD), 1)])
            rows.writerow([f"{word} {draw.choice(THINGS)} {number}", stars, "ab"[number % 2], stars < 3, number % 40])
    for name, content in RUN_FILES.items():
        (folder / f"{name}.yaml").write_text(content)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("equipoise.modeling.backbone.fetch", lambda name: tiny_model)
        patch.chdir(folder)
        equipoise.train("reviews.yaml")
        yield folder


def examples_of(name):
    module = importlib.import_module(PUBLIC[name].__module__)
    found = doctest.DocTestFinder(recurse=False).find(PUBLIC[name], name, module=module)
    return [test for test in found if test.examples]


@pytest.mark.parametrize("name", sorted(set(PUBLIC) - WITHOUT - SKIPPED))
def test_the_example_does_what_it_says(name, folder):
    (test,) = examples_of(name)
    test.globs = {}
    options = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
    found = doctest.DocTestRunner(optionflags=options).run(test)
    assert found.attempted > 0
    assert found.failed == 0


def test_no_other_is_skipped():
    examples = {name: [one for test in examples_of(name) for one in test.examples] for name in set(PUBLIC) - WITHOUT}
    assert all(examples.values())
    assert {name for name, of in examples.items() if any(doctest.SKIP in one.options for one in of)} == SKIPPED
