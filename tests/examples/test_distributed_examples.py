"""The configurations for accelerate are read by it, say what each line is for, and start what they say."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from corpus import write_run
from processes import launched_environment

FOLDER = Path(__file__).parents[2] / "examples" / "distributed"
CONFIGS = sorted(FOLDER.glob("*.yaml"))
TOLD = {
    "ddp": {"ACCELERATE_USE_FSDP": None, "ACCELERATE_USE_DEEPSPEED": None},
    "fsdp2": {"ACCELERATE_USE_FSDP": "true", "FSDP_VERSION": "2"},
    "zero2": {"ACCELERATE_USE_DEEPSPEED": "true", "ACCELERATE_DEEPSPEED_ZERO_STAGE": "2"},
    "zero3": {"ACCELERATE_USE_DEEPSPEED": "true", "ACCELERATE_DEEPSPEED_ZERO_STAGE": "3"},
}


def launch(config, run_file, *options):
    command = [sys.executable, "-m", "accelerate.commands.launch", "--config_file", str(FOLDER / f"{config}.yaml")]
    command += ["--main_process_port", "0", "-m", "equipoise", "train", str(run_file), *options]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)


@pytest.mark.parametrize("config", CONFIGS, ids=lambda path: path.stem)
def test_accelerate_reads_them_and_every_line_says_what_for(config):
    told = launched_environment(config)
    assert {name: told.get(name) for name in TOLD[config.stem]} == TOLD[config.stem]
    for line in config.read_text().splitlines():
        assert "#" in line or line.endswith("_config:"), line


@pytest.mark.parametrize("config", ["ddp", "fsdp2"])
def test_those_without_deepspeed_train(tmp_path, tiny_model, config):
    run_file = write_run(tmp_path, tiny_model, max_steps=3, evaluations=1, batch_size=4)
    ended = launch(config, run_file)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.count("Run score on test") == 1
    assert (tmp_path / "run" / "report.html").exists()
    assert (tmp_path / "run" / "model" / "backbone" / "model.safetensors").exists()


def test_deepspeed_is_refused(tmp_path, tiny_model):
    run_file = write_run(tmp_path, tiny_model)
    for config in ("zero2", "zero3"):
        told = launched_environment(FOLDER / f"{config}.yaml")
        command = [sys.executable, "-m", "equipoise", "train", str(run_file)]
        ended = subprocess.run(command, env=os.environ | told, capture_output=True, text=True, timeout=60, check=False)
        assert ended.returncode == 2
        assert ended.stderr.startswith("usage: DeepSpeed: equipoise does not train by it")
        assert ended.stderr.count("\n") == 1
