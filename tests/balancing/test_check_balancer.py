import pytest
import torch

from equipoise.balancing import BALANCERS, Balancer, DynamicAdaptiveLoss
from equipoise.testing import check_balancer

NEEDED = {"static": lambda tasks: {"weights": {task: len(task) for task in tasks}}}


@pytest.mark.parametrize("name", BALANCERS)
def test_every_balancer_passes(name):
    check_balancer(lambda tasks: BALANCERS[name](tasks, **NEEDED.get(name, lambda _: {})(tasks)))


@pytest.mark.parametrize("options", [{"task_weights": False}, {"example_weights": False}, {"clip": (0.5, 2.0)}])
def test_every_form_of_dao_passes(options):
    check_balancer(lambda tasks: DynamicAdaptiveLoss(tasks, **options))


class _ByLoss(Balancer):
    def compute_weights(self, losses, gradients, tasks):
        return losses


class _Unnormalised(_ByLoss):
    def forward(self, losses, **inputs):
        scalar = 2 * super().forward(losses, **inputs)
        self._weights = {task: 2 * weight for task, weight in self._weights.items()}
        return scalar


class _Negative(_ByLoss):
    def forward(self, losses, **inputs):
        scalar = super().forward(losses, **inputs)
        self._weights["score"] -= 3
        self._weights["anger"] += 3
        return scalar


class _NotWhatItSays(_ByLoss):
    def forward(self, losses, **inputs):
        return 2 * super().forward(losses, **inputs)


class _Attached(_ByLoss):
    """Its scalar has the right value, but the weights are part of the graph."""

    def forward(self, losses, **inputs):
        detached = super().forward({task: loss.detach() for task, loss in losses.items()}, **inputs)
        graph = sum(self._weights[task] * loss.mean() for task, loss in losses.items() if loss.numel())
        return detached + graph * graph - (graph * graph).detach()


class _DropsATask(_ByLoss):
    def forward(self, losses, **inputs):
        return super().forward(losses | {"anger": losses["anger"].detach()} if "anger" in losses else losses, **inputs)


class _ForgetsEmptyEntries(_ByLoss):
    def forward(self, losses, **inputs):
        return super().forward({task: loss for task, loss in losses.items() if loss.numel()}, **inputs)


class _ByPosition(Balancer):
    def compute_weights(self, losses, gradients, tasks):
        return torch.arange(1.0, len(tasks) + 1).double()


class _HalfForOne(_ByLoss):
    def forward(self, losses, **inputs):
        scalar = super().forward(losses, **inputs)
        if sum(weight > 0 for weight in self._weights.values()) == 1:
            self._weights = {task: weight / 2 for task, weight in self._weights.items()}
        return scalar


class _StarvesWithoutGradient(DynamicAdaptiveLoss):
    """It gives a task without gradient no weight: a module that starts from zero would never learn."""

    def _weigh(self, present, losses, squares, gradients):
        weights = super()._weigh(present, losses, squares, gradients)
        return {task: weights[task] for task, square in zip(self.tasks, squares, strict=True) if square}


class _Random(Balancer):
    def compute_weights(self, losses, gradients, tasks):
        return losses * torch.rand(()) if len(tasks) == 1 else losses + losses.flip(0) * torch.rand(())


class _Forgetful(_ByLoss):
    """Its moving average is not in its state."""

    def __init__(self, tasks):
        super().__init__(tasks)
        self.average = {}

    def compute_weights(self, losses, gradients, tasks):
        for task, loss in zip(tasks, losses, strict=True):
            self.average[task] = 0.9 * self.average.get(task, loss) + 0.1 * loss
        return torch.stack([self.average[task] for task in tasks])


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (_Unnormalised, "sum to 6, not to 3"),
        (_Negative, "not all finite and non-negative"),
        (_NotWhatItSays, "weights times losses is"),
        (_Attached, "have to be detached"),
        (_DropsATask, "derivative by the losses"),
        (_ForgetsEmptyEntries, "whose entry is empty"),
        (_ByPosition, "depend on the order"),
        (_HalfForOne, "only task present has weight 0.5"),
        (_StarvesWithoutGradient, "sum to 2, not to 3"),
        (_Random, "order|differ"),
        (_Forgetful, "goes on differently"),
    ],
)
def test_a_broken_balancer_is_caught(broken, message):
    with pytest.raises(AssertionError, match=message):
        check_balancer(broken)
