"""What rules read, at every place, against plain autograd; whole and in micro-batches."""

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from equipoise.balancing.feature_gradients import gramian, parameter_gradients
from equipoise.balancing.task_gradients import TaskGradients

TASKS = ["a", "b", "c"]
FORMS = [("map", needs) for needs in ("gramian", "gradients", "halves")]
FORMS += [("features", "gramian")]
FORMS += [("parameters", needs) for needs in ("gramian", "gradients", "halves")]


class _Problem:
    """Two tasks of three, as losses per example, behind a backbone of one matrix."""

    def __init__(self):
        random = torch.Generator().manual_seed(0)
        self.x, self.weight, self.heads = (
            torch.randn(*shape, generator=random, dtype=torch.float64) for shape in ((8, 4), (4, 3), (2, 3))
        )
        self.weight.requires_grad_()
        self.features = self.x @ self.weight

    def parts(self, rows=slice(None)):
        losses = (self.features @ self.heads.T).square() / 8
        return {"a": losses[rows, 0], "c": losses[rows, 1]}

    def gradients(self, where, rows=slice(None)):
        """Differentiate by autograd, shape (3, n)."""
        h = self.features.detach()
        layer, bias = torch.eye(3, dtype=torch.float64).requires_grad_(), torch.zeros(3, dtype=torch.float64)
        at, read = {
            "map": ([layer, bias.requires_grad_()], lambda: h @ layer.T + bias),
            "features": ([h.requires_grad_()], lambda: h),
            "parameters": ([self.weight], lambda: self.x @ self.weight),
        }[where]
        rows_of = [torch.zeros(sum(one.numel() for one in at), dtype=torch.float64)] * 3
        for task, head in zip((0, 2), self.heads, strict=True):
            found = torch.autograd.grad(((read() @ head).square()[rows] / 8).sum(), at)
            # The map's gradient is [G; bias], one row an output.
            rows_of[task] = (
                torch.cat([one.reshape(3, -1) for one in found], 1).flatten() if where == "map" else found[0].flatten()
            )
        return torch.stack(rows_of)


@pytest.mark.parametrize(("where", "needs"), FORMS)
@pytest.mark.parametrize("cuts", [[slice(None)], [slice(0, 2), slice(2, 8)]])
def test_it_is_what_autograd_finds(where, needs, cuts):
    problem, reader = _Problem(), TaskGradients(where, needs, TASKS)
    measured = [reader.measure(problem.parts(rows), problem.features, [problem.weight]) for rows in cuts]
    squares, found = reader.read(torch.stack(measured).sum(0))
    if needs == "halves":
        halves = [2 * problem.gradients(where, slice(half, None, 2)) for half in (0, 1)]
        expected = halves[0] @ halves[1].T
        torch.testing.assert_close(squares, sum(half.square().sum(1) for half in halves))
    else:
        gradients = problem.gradients(where)
        expected = gradients if needs == "gradients" else gradients @ gradients.T
        torch.testing.assert_close(squares, gradients.square().sum(1))
    torch.testing.assert_close(found, expected)
    if cuts == [slice(None)]:
        at_once = reader.read_batch(problem.parts(), problem.features, [problem.weight], torch.tensor([7.0]))
        torch.testing.assert_close(at_once, (squares, found, torch.tensor([7.0], dtype=torch.float64)))


def test_a_scalar_cannot_be_halved():
    with pytest.raises(ValueError, match=r"losses\['a'\] must hold one loss per example, found a scalar"):
        TaskGradients("map", "halves", TASKS).measure({"a": torch.tensor(1.0)}, torch.ones(1, 1), None)


def test_products_of_many_columns_are_added_up_in_chunks(monkeypatch):
    monkeypatch.setattr("equipoise.balancing.feature_gradients._CHUNK", 3)
    first, second = torch.arange(20.0).view(2, 10), torch.ones(2, 10)
    assert gramian(first).tolist() == (first.double() @ first.double().T).tolist()
    assert gramian(first, second).tolist() == (first.double() @ second.double().T).tolist()


def test_the_device_is_waited_for_once_however_many_parameters_there_are():
    class Waits(TorchDispatchMode):
        count = 0

        def __torch_dispatch__(self, function, types, args=(), kwargs=None):
            self.count += function is torch.ops.aten._local_scalar_dense.default
            return function(*args, **(kwargs or {}))

    counts = []
    for many in (1, 20):
        parameters = [torch.ones(2, requires_grad=True) for _ in range(many)]
        losses = [sum(parameter.sum() for parameter in parameters) * scale for scale in (1.0, 2.0)]
        with Waits() as waits:
            parameter_gradients(losses, parameters)
        counts.append(waits.count)
    assert counts == [1, 1]


def test_a_gradient_that_overflows_when_scaled_up_is_taken_as_it_is():
    x = torch.full((2,), 3e38 / 4, requires_grad=True)
    found = parameter_gradients([(x * 3e38).sum() / 4, x.sum()], [x])
    assert found[0].tolist() == pytest.approx([3e38 / 4] * 2)
    assert found[1].tolist() == [1.0, 1.0]
