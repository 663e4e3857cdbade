"""Every tensor of every kind of expert folder is accounted for, and the result is the plain average."""

import json
import shutil
from pathlib import Path

import pytest

from equipoise.merging import Fate, summarize

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
# Two experts each: how many tensors are merged, how many kept, how many are the base's own.
EXPECTED = {
    "ours, encoder, full": (2 * 37, 2 * 4, 0),
    "ours, encoder, LoRA": (2 * 8, 2 * 4, 0),
    "ours, decoder, full": (2 * 20, 2 * 4, 0),
    "ours, decoder, LoRA": (2 * 8, 2 * 4, 0),
    "ours, prompted, full": (2 * 20, 0, 0),
    "ours, prompted, LoRA": (2 * 8, 0, 0),
    "checkpoint, encoder": (2 * 39, 0, 0),
    "checkpoint, decoder": (2 * 20, 0, 0),
    "checkpoint, untied": (2 * 21, 0, 0),
    "checkpoint, shards": (2 * 20, 0, 0),
    "checkpoint, one layer": (2 * 16, 0, 2 * 23),
    "classifier, texts": (2 * 39, 2 * 2, 0),
    "classifier, tokens": (2 * 37, 2 * 2, 0),
    "masked words": (2 * 37, 2 * 5, 0),
    "LoRA": (2 * 8, 0, 0),
    "LoRA, no task_type": (2 * 8, 0, 0),
    "LoRA, classifier": (2 * 8, 0, 0),
    "rsLoRA, ranks": (2 * 8, 0, 0),
    "DoRA": (2 * 12, 0, 0),
    "PiSSA": (2 * 8, 0, 0),
    "modules_to_save": (2 * 10, 0, 0),
    "IA3": (2 * 4, 0, 0),
    "LoHa": (2 * 8, 0, 0),
}


@pytest.fixture(scope="module")
def bases(tmp_path_factory):
    """The benchmark, and a folder with its bases."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(BENCHMARKS)
        import merge_accounting
    folder = tmp_path_factory.mktemp("accounting")
    merge_accounting.make_bases(folder)
    return merge_accounting, folder


@pytest.mark.parametrize("kind", EXPECTED)
def test_every_tensor_is_accounted_for(bases, kind):
    benchmark, folder = bases
    row, made = benchmark.measure(kind, folder)
    assert (row["merged"], row["kept"], row["unchanged"]) == EXPECTED[kind]
    assert row["tensors"] == sum(EXPECTED[kind])
    assert row["lost"] == 0
    assert row["off"] < 6e-8
    # The file says the same.
    written = json.loads((made.folder / "merge.json").read_text())["tensors"]
    assert sum(len(own) for fates in written.values() for own in fates.values()) == row["tensors"]
    print("\n".join([kind, *summarize(made.tensors)]))


def test_no_kind_is_left_out(bases):
    assert set(bases[0].KINDS) == set(EXPECTED)


def test_places_of_the_result_exist(bases, tmp_path):
    benchmark, folder = bases
    shutil.copytree(folder / "encoder", tmp_path / "encoder")
    _, made = benchmark.measure("checkpoint, one layer", tmp_path)
    merged = {one.place for one in made.tensors if one.fate is Fate.MERGED}
    assert merged == {one.place for one in made.tensors if "layer.1." in one.name}
    assert {f"model.safetensors:{place}" for place in merged} <= benchmark.keys_of(made.folder)
