"""What a run decides, for tests that two runs are the same."""

import json

from safetensors.torch import load_file


def outcome(folder):
    """All that a run decides: weights, metrics, what was logged but for clock and memory."""
    weights = load_file(folder / "model/task_modules.safetensors")
    for file in ("backbone/model.safetensors", "adapter/adapter_model.safetensors"):
        if (folder / "model" / file).exists():
            weights |= load_file(folder / "model" / file)
    log = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    for line in log:
        for measured in ("seconds", "rows_per_second", "tokens_per_second", "peak_memory_mb"):
            line.pop(measured, None)
    summary = json.loads((folder / "summary.json").read_text())
    return weights, log, (folder / "metrics.json").read_text(), summary["best_step"]


def assert_same(one, other):
    weights, log, metrics, best = outcome(one)
    others, other_log, other_metrics, other_best = outcome(other)
    assert weights.keys() == others.keys()
    for name, tensor in weights.items():
        assert (tensor == others[name]).all(), name
    assert log == other_log
    assert metrics == other_metrics
    assert best == other_best
