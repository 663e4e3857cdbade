import json

import pytest
from typer.testing import CliRunner

from adapters import save_two
from equipoise.cli import app


@pytest.fixture
def experts(tmp_path, tiny_model):
    save_two(tmp_path, tiny_model, rank=2, targets=["query"])
    return tmp_path


def _run(folder, *arguments):
    folders = [str(folder / name) for name in ("polarity", "intensity")]
    return CliRunner().invoke(app, ["merge", *folders, "-o", str(folder / "out"), *arguments])


def test_it_merges_as_told(experts):
    result = _run(experts, "--operator", "task_arithmetic", "--weights", "polarity=0.6, intensity=-0.4")
    assert result.exit_code == 0, result.output
    assert "Adapter of rank 4" in result.output
    made = json.loads((experts / "out" / "merge.json").read_text())
    assert made["weights"] == {"polarity": 0.6, "intensity": -0.4}
    assert made["form"] == "adapter"
    answer = CliRunner().invoke(app, ["predict", str(experts / "out"), "so good"])
    assert set(json.loads(answer.output)) == {"text", "polarity", "intensity"}


def test_options_reach_the_operator(experts):
    assert _run(experts, "--operator", "ties", "--option", "density=0.5", "--option", "trim=tensor").exit_code == 0
    assert json.loads((experts / "out" / "merge.json").read_text())["options"] == {"density": 0.5, "trim": "tensor"}
    assert "found something there" in str(_run(experts).exception)
    assert _run(experts, "--overwrite", "--rank", "1").exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--weights", "polarity"], "--weights: found 'polarity', expected NAME=VALUE"),
        (["--weights", "polarity=much,intensity=1"], "--weights: found 'much' for polarity, expected a number"),
        (["--weights", "polarity=1"], "there is no weight for 'intensity'"),
        (["--option", "density"], "--option: found 'density', expected NAME=VALUE"),
        (["--operator", "tie"], "there is no operator 'tie'. Did you mean 'ties'?"),
        (["--operator", "ties", "--option", "denity=1"], "'ties' has no option 'denity'. Did you mean 'density'?"),
        (["--operator", "ties", "--option", "density=high"], "density"),
        (["--operator", "regmean"], "needs the statistics 'inputs'"),
        (["--modules", "all"], "found 'all', expected one of keep, average, error"),
        (["--base", "nowhere/at-all"], "cannot be loaded"),
    ],
)
def test_mistakes(experts, arguments, message):
    result = _run(experts, *arguments)
    assert message in str(result.exception)
    assert not (experts / "out").exists()
