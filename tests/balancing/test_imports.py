"""`DynamicAdaptiveLoss` needs torch and numpy only, and starts without anything else."""

import subprocess
import sys

SCRIPT = """
import builtins, importlib, importlib.abc, sys

ALLOWED = {*sys.stdlib_module_names, "torch", "numpy", "equipoise"}
builtin_import = builtins.__import__


class Blocker(importlib.abc.MetaPathFinder):
    '''Refuses what is imported by `importlib.import_module` from equipoise or from here.'''

    def find_spec(self, name, path=None, target=None):
        frame = sys._getframe(1)
        while frame.f_code is guarded_import.__code__ or frame.f_globals["__name__"].startswith("importlib"):
            frame = frame.f_back
        check(name, frame.f_globals["__name__"])


def check(name, importer):
    # torch and numpy may import what they like.
    if importer.partition(".")[0] in ("equipoise", "__main__") and name.partition(".")[0] not in ALLOWED:
        raise ImportError(f"{importer} imports {name}")


def guarded_import(name, globals=None, locals=None, fromlist=(), level=0):
    if level == 0:
        check(name, (globals or {}).get("__name__", ""))
    return builtin_import(name, globals, locals, fromlist, level)


builtins.__import__ = guarded_import
sys.meta_path.insert(0, Blocker())
import torch
"""

STEP = """
from equipoise import DynamicAdaptiveLoss

torch.manual_seed(0)
backbone, score, polarity = torch.nn.Linear(4, 3), torch.nn.Linear(3, 1), torch.nn.Linear(3, 2)
optimizer = torch.optim.SGD(backbone.parameters(), lr=0.1)
balance = DynamicAdaptiveLoss({"score": "regression", "polarity": "classification"}, example_weights=["polarity"])
h = backbone(torch.randn(8, 4))
classes = torch.arange(8) % 2
losses = {
    "score": (score(h)[:, 0] - 1).square(),
    "polarity": torch.nn.functional.cross_entropy(polarity(h), classes, reduction="none"),
}
loss = balance(losses, features=h, targets={"polarity": classes})
loss.backward()
optimizer.step()
balance.after_step()
assert backbone.weight.grad.abs().sum() > 0
assert abs(sum(balance.weights.values()) - 2) < 1e-6, balance.weights

heavy = {"scipy", "torchjd", "pydantic", "transformers", "datasets", "sklearn", "typer", "accelerate", "rich", "yaml"}
assert not heavy & sys.modules.keys(), heavy & sys.modules.keys()
print("done")
"""


def _run(script):
    return subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=300)


def test_the_dynamic_adaptive_loss_needs_torch_and_numpy_only():
    run = _run(SCRIPT + STEP)
    assert run.stdout.strip() == "done", run.stderr


def test_the_guard_of_this_test_blocks():
    for line in ("import scipy", "import importlib; importlib.import_module('torchjd')"):
        run = _run(SCRIPT + line)
        assert "ImportError: __main__ imports" in run.stderr
    run = _run(SCRIPT + "from equipoise.balancing import UPGrad; UPGrad(['a'])")
    assert "ImportError: equipoise.balancing.input_checks imports torchjd" in run.stderr
