"""The benchmark of merged adapters measures against the true sum."""

import json
from pathlib import Path

from adapters import save_two

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


def test_it_measures_adapters_of_ones_own(tmp_path, tiny_model, monkeypatch, capsys):
    monkeypatch.syspath_prepend(BENCHMARKS)
    import lora_merge

    save_two(tmp_path, tiny_model, rank=lora_merge.RANK, targets=["query"])
    lora_merge.main([str(tmp_path / "polarity"), str(tmp_path / "intensity")])
    rows = json.loads(capsys.readouterr().out.splitlines()[-1])["results"]
    assert rows["ours"]["worst"] < 1e-4
    assert rows["peft cat"]["worst"] < 1e-4
    # The best of a rank, whoever computes it; the two factors apart are no sum.
    assert abs(rows["ours, rank 8"]["error"] - rows["peft svd, rank 8"]["error"]) < 1e-3
    assert rows["peft linear"]["error"] > 0.3
