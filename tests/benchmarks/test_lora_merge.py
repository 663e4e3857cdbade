"""The benchmark of merged adapters measures against the true sum."""

import json
from pathlib import Path

import torch

from asking import make_tasks
from equipoise.modeling import MultiTaskModel, add_adapter, load_backbone

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


def test_it_measures_adapters_of_ones_own(tmp_path, tiny_model, monkeypatch, capsys):
    monkeypatch.syspath_prepend(BENCHMARKS)
    import lora_merge

    for seed, task in enumerate(("polarity", "intensity")):
        torch.manual_seed(seed)
        backbone, tokenizer = load_backbone(str(tiny_model))
        add_adapter(backbone, lora_merge.RANK, targets=["query"])
        for name, parameter in backbone.named_parameters():
            if "lora_B" in name:
                torch.nn.init.normal_(parameter, std=0.1)
        tasks = {task: make_tasks(**{task: "module"})[task]}
        MultiTaskModel(backbone, tokenizer, tasks, 64, base=str(tiny_model)).save_pretrained(tmp_path / task)
    lora_merge.main([str(tmp_path / "polarity"), str(tmp_path / "intensity")])
    rows = json.loads(capsys.readouterr().out.splitlines()[-1])["results"]
    assert rows["ours"]["worst"] < 1e-4
    assert rows["peft cat"]["worst"] < 1e-4
    # The best of a rank, whoever computes it; the two factors apart are no sum.
    assert abs(rows["ours, rank 8"]["error"] - rows["peft svd, rank 8"]["error"]) < 1e-3
    assert rows["peft linear"]["error"] > 0.3
