import pytest
import torch

from equipoise.balancing import BALANCERS, Balancer, DynamicAdaptiveLoss, NonFiniteLoss, UncertaintyWeighting
from equipoise.testing import check_balancer

NEEDED = {
    "static": lambda tasks: {"weights": {task: len(task) for task in tasks}},
    "nash_mtl": lambda tasks: {"optim_niter": 1},  # it is slow
}


@pytest.mark.parametrize("name", BALANCERS)
def test_every_balancer_passes(name):
    check_balancer(lambda tasks: BALANCERS[name](tasks, **NEEDED.get(name, lambda _: {})(tasks)))


@pytest.mark.parametrize(
    "options", [{"task_weights": False}, {"example_weights": True}, {"clip": (0.5, 2.0)}, {"where": "parameters"}]
)
def test_every_form_of_dao_passes(options):
    check_balancer(lambda tasks: DynamicAdaptiveLoss(tasks, **options))


class _ByLoss(Balancer):
    def compute_weights(self, losses, gradients, tasks):
        return losses


class _Unnormalized(_ByLoss):
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


class _RandomByPosition(Balancer):
    """Its draws are its own, but the first tasks draw more."""

    random = True

    def __init__(self, tasks):
        super().__init__(tasks)
        self.calls = torch.tensor(0)

    def compute_weights(self, losses, gradients, tasks):
        self.calls = self.calls + 1
        draws = torch.rand(len(tasks), generator=torch.Generator().manual_seed(int(self.calls)), dtype=torch.float64)
        return draws + torch.arange(len(tasks)) / 2

    def _get_state(self):
        return super()._get_state() | {"calls": self.calls}

    def _set_state(self, state):
        super()._set_state(state)
        self.calls = state["calls"]


class _Drawing(_ByLoss):
    """It draws from the global random state, for nothing."""

    def compute_weights(self, losses, gradients, tasks):
        torch.rand(())
        return losses


class _SaysItCompensates(_ByLoss):
    rescaling = "compensates"


class _SaysItIgnores(_ByLoss):
    rescaling = "ignores"


class _SaysAnythingElse(_ByLoss):
    rescaling = "never"


class _ByCall(_ByLoss):
    """Weights change from micro-batch to micro-batch."""

    def _weigh_part(self, *batch, **options):
        self._memory.weights = None
        return super()._weigh_part(*batch, **options)

    def compute_weights(self, losses, gradients, tasks):
        return self._memory.losses[self._indices(tasks)].nan_to_num(1.0)


class _IgnoresCounts(_ByLoss):
    """Every micro-batch counts as though it were a whole one."""

    def forward(self, losses, **inputs):
        scalar = super().forward(losses, **inputs)
        return 2 * scalar if inputs.get("counts") else scalar


class _ForgetsTheOpenStep(_ByLoss):
    """The weights of the open step are not in its state, and asked for again they are others."""

    def __init__(self, tasks):
        super().__init__(tasks)
        self.calls = torch.tensor(0)

    def compute_weights(self, losses, gradients, tasks):
        self.calls = self.calls + 1
        return losses ** (1 + self.calls % 2)

    def _get_state(self):
        state = super()._get_state() | {"calls": self.calls}
        return {name: value for name, value in state.items() if name != "weights"}

    def _set_state(self, state):
        super()._set_state(state)
        self.calls = state["calls"]


class _LearnsFromSkippedSteps(UncertaintyWeighting):
    def after_step(self, recompute=None, *, skipped=False):
        super().after_step(recompute)


class _TakesNaN(_ByLoss):
    def forward(self, losses, **inputs):
        return super().forward({task: loss.nan_to_num() for task, loss in losses.items()}, **inputs)


class _NamesNobody(_ByLoss):
    def forward(self, losses, **inputs):
        try:
            return super().forward(losses, **inputs)
        except NonFiniteLoss:
            raise NonFiniteLoss("A loss is not finite.") from None


class _PoisonedByNaN(_ByLoss):
    """It counts a loss in before it is looked at."""

    total = 0.0

    def forward(self, losses, **inputs):
        self.total = self.total + sum(loss.detach().mean() for loss in losses.values() if loss.numel()) * 0
        return super().forward(losses, **inputs)

    def compute_weights(self, losses, gradients, tasks):
        return losses + self.total


class _BlindToOtherRanks(_ByLoss):
    """Every process goes by its own losses."""

    def forward(self, losses, **inputs):
        self.own = {task: loss.detach().mean().double() for task, loss in losses.items()}
        return super().forward(losses, **inputs)

    def compute_weights(self, losses, gradients, tasks):
        return torch.stack([self.own[task].nan_to_num(1.0) for task in tasks])


class _ByRankCount(_ByLoss):
    """All processes agree, on other weights than one process alone."""

    def compute_weights(self, losses, gradients, tasks):
        return losses if self.process_group is None else losses.square()


class _ForgetsTheWorldSize(_ByLoss):
    def forward(self, losses, **inputs):
        scalar = super().forward(losses, **inputs)
        return scalar if self.process_group is None else scalar / self.process_group.size()


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (_Unnormalized, "sum to 6, not to 3"),
        (_Negative, "not all finite and non-negative"),
        (_NotWhatItSays, "weights times losses is"),
        (_Attached, "have to be detached"),
        (_DropsATask, "derivative by the losses"),
        (_ForgetsEmptyEntries, "whose entry is empty"),
        (_ByPosition, "depend on the order"),
        (_HalfForOne, "only task present has weight 0.5"),
        (_StarvesWithoutGradient, "sum to 2, not to 3"),
        (_Random, "order|differ"),
        (_RandomByPosition, "depend on the order of the tasks: over 100 draws"),
        (_Drawing, "global random state"),
        (_Forgetful, "goes on differently"),
        (_SaysItCompensates, "by its `rescaling`, compensates"),
        (_SaysItIgnores, "by its `rescaling`, ignores"),
        (_SaysAnythingElse, "`rescaling` is 'never'"),
        (_ByCall, "micro-batches of one step have different weights"),
        (_IgnoresCounts, "micro-batches do not add up"),
        (_ForgetsTheOpenStep, "goes on differently"),
        (_LearnsFromSkippedSteps, "the optimizer skipped"),
        (_TakesNaN, "raises no NonFiniteLoss"),
        (_NamesNobody, "does not name 'score'"),
        (_PoisonedByNaN, "the next step fails"),
        (_BlindToOtherRanks, "Two ranks have different weights"),
        (_ByRankCount, "other weights than one process"),
        (_ForgetsTheWorldSize, "multiplied by the number of processes"),
    ],
)
def test_a_broken_balancer_is_caught(broken, message):
    with pytest.raises(AssertionError, match=message):
        check_balancer(broken)
