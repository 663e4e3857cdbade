"""What training needs in memory, reckoned for models that no test machine could hold."""

import re

import pytest
import torch
from transformers import AutoConfig, AutoModel, LlamaConfig

from corpus import write_run
from equipoise.config import load_config
from equipoise.modeling import add_adapter
from equipoise.training import estimates, examine, prepare_run, training_memory

GB = 1e9
LLAMA_7B = 6_607_343_616
"""Parameters without the output layer: 32,000 · 4,096 + 32 · (4 · 4,096² + 3 · 4,096 · 11,008 + 2 · 4,096) + 4,096."""


def llama_7b(folder, dtype=torch.float32):
    """The model of a configuration alone: nothing is downloaded, no weight takes memory."""
    LlamaConfig().save_pretrained(folder)
    with torch.device("meta"):
        return AutoModel.from_config(AutoConfig.from_pretrained(folder), dtype=dtype)


def test_7b_full_on_eight_devices(tmp_path):
    model = llama_7b(tmp_path)
    assert sum(parameter.numel() for parameter in model.parameters()) == LLAMA_7B
    needed = training_memory(model)
    assert needed.on_each() == 16 * LLAMA_7B
    assert needed.on_each(8) == 2 * LLAMA_7B
    assert needed.on_each(8) / GB == pytest.approx(13.2, abs=0.1)
    # Not with heads: each device holds these whole.
    head = torch.nn.Linear(4096, 10, device="meta")
    both = training_memory(torch.nn.ModuleList([model, head]), head.parameters())
    assert both.on_each(8) - needed.on_each(8) == 16 * (4096 * 10 + 10)


@pytest.mark.parametrize(("dtype", "gigabytes"), [(torch.float32, 26.5), (torch.bfloat16, 13.3)])
def test_7b_lora_on_one_device(tmp_path, dtype, gigabytes):
    model = llama_7b(tmp_path, dtype)
    add_adapter(model, rank=8)
    # Queries and values of 32 layers: two matrices each, 4,096 · 8 and 8 · 4,096.
    trained = 32 * 2 * 2 * 4096 * 8
    adapter = [parameter for parameter in model.parameters() if parameter.requires_grad]
    assert sum(parameter.numel() for parameter in adapter) == trained
    needed = training_memory(model)
    assert needed.on_each() == LLAMA_7B * dtype.itemsize + 4 * dtype.itemsize * trained
    assert needed.on_each() / GB == pytest.approx(gigabytes, abs=0.1)


def test_check_says_what_the_model_of_the_run_needs(tmp_path, tiny_model, monkeypatch):
    monkeypatch.setattr(estimates, "_SMALL", 0)
    sizes = {}
    for freeze in (0, 1):
        config = load_config(write_run(tmp_path, tiny_model, freeze_layers=freeze))
        found = examine(config, fast=True)
        (needs,) = [finding for finding in found.findings if finding.code == "R04"]
        assert needs.level == "note"
        model = prepare_run(config).model
        numbers = sum(parameter.numel() for parameter in model.parameters())
        frozen = sum(parameter.numel() for parameter in model.parameters() if not parameter.requires_grad)
        heads = sum(parameter.numel() for parameter in model.task_parameters())
        assert frozen > 0 if freeze else frozen == 0
        sizes[freeze] = 16 * numbers - 12 * frozen
        shared = 16 * heads + (sizes[freeze] - 16 * heads) / 8
        assert needs.message.startswith(
            f"{sizes[freeze] / 1e6:.1f} MB on one device; {shared / 1e6:.1f} MB on each of 8 that share the model out, "
            f"and {4 * numbers / 1e6:.1f} MB more on the first"
        )
    assert sizes[1] < sizes[0]


def test_check_shares_no_small_model_out(tmp_path, tiny_model):
    found = examine(load_config(write_run(tmp_path, tiny_model)), fast=True)
    (needs,) = [finding for finding in found.findings if finding.code == "R04"]
    assert re.fullmatch(r"[0-9.]+ MB on one device; activations come on top.*", needs.message)
