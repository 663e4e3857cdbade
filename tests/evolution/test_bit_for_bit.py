"""A candidate in memory is bit for bit the same merge written to disk and loaded from there."""

import numpy as np
import pytest
import torch

from corpus import run_data
from equipoise.config import make_config
from equipoise.data import load_table
from equipoise.evolution.recipes import Recipe
from equipoise.evolution.workbench import Workbench
from equipoise.merging import merge
from equipoise.modeling import MultiTaskModel, add_adapter, infer, load_backbone

WEIGHTS = {"intensity": 0.7, "polarity": 0.3, "towards": 0.45}
WAYS = {
    "task_arithmetic": {},
    "ties": {"density": 0.3},
    "dare_ties": {"density": 0.5},
    "tsv_m": {},
}


@pytest.fixture(scope="module")
def make_bench(tmp_path_factory, tiny_model):
    """Return a function that makes a workbench of random experts, whole models or adapters."""

    def made(kind):
        folder = tmp_path_factory.mktemp(kind)
        config = make_config(run_data(folder, tiny_model))
        table = load_table(config)
        for seed, (name, task) in enumerate(table.scored.items()):
            torch.manual_seed(seed)
            backbone, tokenizer = load_backbone(str(tiny_model))
            if "adapters" in kind:
                add_adapter(backbone, 2, targets=["query", "dense"], above=kind == "upper adapters")
            for key, parameter in backbone.named_parameters():
                if kind == "whole" or "lora_B" in key:
                    parameter.data += 0.1 * torch.randn_like(parameter)
            base = str(tiny_model) if "adapters" in kind else None
            MultiTaskModel(backbone, tokenizer, {name: task}, 32, base=base).save_pretrained(folder / "experts" / name)
        return Workbench(config, table, [folder / "experts" / name for name in table.scored])

    return made


@pytest.fixture(scope="module")
def whole(make_bench):
    return make_bench("whole")


@pytest.fixture(scope="module")
def adapters(make_bench):
    return make_bench("adapters")


def bits(tensors):
    """Tensors as whole numbers, so that 0 and -0 differ."""
    return {name: tensor.detach().clone().view(torch.int32) for name, tensor in tensors}


def same(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def in_memory(bench, operator, options, seed=3):
    """Return tensors and predictions of a candidate, and whether the base was as before when it was gone."""
    before = bits(bench.model.backbone.named_parameters())
    recipe = Recipe(operator, options, (WEIGHTS,), seed)
    with bench.applied(recipe.merge(bench.task_vectors, bench.tensors, bench.linear)) as model:
        held = bits(model.backbone.named_parameters())
        predictions = bench.predict_split("dev", list(bench.table.scored))
    assert not same(before, held)
    assert same(before, bits(bench.model.backbone.named_parameters()))
    return held, predictions


def from_disk(bench, folder, operator, options, seed=3):
    folders = [bench.config.output.parent / "experts" / name for name in WEIGHTS]
    made = merge(folders, folder, operator, options=options, weights=WEIGHTS, base=str(bench.config.model), seed=seed)
    loaded = MultiTaskModel.from_pretrained(folder).eval()
    wanted = {name: bench.table.rows(name, "dev") for name in bench.table.scored}
    rows, _ = loaded.encode_rows(bench.table.splits["dev"], wanted)
    return made, loaded, infer(loaded, rows, wanted, bench.config.train.eval_batch_size)


# A weighted sum of adapters is written as an adapter.
@pytest.mark.parametrize(
    ("kind", "operator"), [*(("whole", name) for name in WAYS), *(("adapters", name) for name in list(WAYS)[1:])]
)
def test_a_merge_folded_into_the_weights_is_the_same(request, tmp_path, kind, operator):
    bench, options = request.getfixturevalue(kind), WAYS[operator]
    held, predicted = in_memory(bench, operator, options)
    made, loaded, expected = from_disk(bench, tmp_path / "merged", operator, options)
    assert made.form == "weights"
    assert same(bits(loaded.backbone.named_parameters()), held)
    assert predicted.keys() == expected.keys()
    for task in expected:
        assert np.array_equal(predicted[task], expected[task])
        assert predicted[task].std() > 0


def test_a_sum_written_as_an_adapter_is_the_same_up_to_rounding(adapters, tmp_path):
    _, predicted = in_memory(adapters, "task_arithmetic", {})
    made, _, expected = from_disk(adapters, tmp_path / "merged", "task_arithmetic", {})
    assert made.form == "adapter"
    assert max(made.errors.values()) < 1e-6
    for task in expected:
        np.testing.assert_allclose(predicted[task], expected[task], atol=1e-5)


def test_another_candidate_in_between_changes_nothing(whole):
    first, predicted = in_memory(whole, "ties", WAYS["ties"])
    in_memory(whole, "dare_ties", WAYS["dare_ties"], seed=4)
    again, expected = in_memory(whole, "ties", WAYS["ties"])
    assert same(first, again)
    for task in expected:
        assert np.array_equal(predicted[task], expected[task])


@pytest.mark.parametrize("operator", ["task_arithmetic", "ties"])
def test_blocks_with_equal_coefficients_are_the_whole(whole, operator):
    vectors, tensors, linear = whole.task_vectors, whole.tensors, whole.linear
    one = Recipe(operator, WAYS[operator], (WEIGHTS,)).merge(vectors, tensors, linear)
    two = Recipe(operator, WAYS[operator], (WEIGHTS, WEIGHTS)).merge(vectors, tensors, linear)
    assert same(bits(one.items()), bits(two.items()))


def test_what_fails_while_a_candidate_is_held_leaves_the_base_as_it_was(whole):
    before = bits(whole.model.backbone.named_parameters())
    merged = Recipe("ties", {}, (WEIGHTS,)).merge(whole.task_vectors, whole.tensors, whole.linear)
    with pytest.raises(RuntimeError, match="out of memory"), whole.applied(merged):
        raise RuntimeError("out of memory")
    assert same(before, bits(whole.model.backbone.named_parameters()))


def test_layers_below_all_experts_are_computed_once(make_bench):
    """Candidates above them get the scores they would get without."""
    bench = make_bench("upper adapters")
    rows = {"polarity": np.arange(4)}
    seen, computed = [], []
    bench.model.backbone.encoder.layer[0].attention.register_forward_hook(lambda *_: seen.append(1))
    for weight in (0.5, 1.0):
        recipe = Recipe("task_arithmetic", {}, (dict.fromkeys(WEIGHTS, weight),), 0)
        with bench.applied(recipe.merge(bench.task_vectors, bench.tensors, bench.linear)) as model:
            seen.clear()
            found = bench.predict("dev", rows)["polarity"]
            computed.append(len(seen))
            np.testing.assert_allclose(infer(model, bench.rows("dev"), rows, 8)["polarity"], found, atol=1e-6)
    assert computed == [1, 0]
