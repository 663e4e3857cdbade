"""The log of a run."""

import json
import math

from transformers import TrainerControl, TrainerState, TrainingArguments

from equipoise.balancing import make_balancer
from equipoise.training.callbacks import RunLog


def test_a_step_that_the_scaler_skipped_is_strict_json(tmp_path):
    log = RunLog(tmp_path / "log.jsonl", make_balancer("equal", ["a"]))
    logs = {"loss": 0.5, "loss/a": 0.5, "learning_rate": 1e-4, "grad_norm": math.nan}
    log.on_log(TrainingArguments(output_dir=str(tmp_path)), TrainerState(global_step=3), TrainerControl(), logs)
    (line,) = (tmp_path / "log.jsonl").read_text().splitlines()
    assert "NaN" not in line
    found = json.loads(line)
    assert (found["step"], found["grad_norm"], found["losses"]) == (3, None, {"a": 0.5})
