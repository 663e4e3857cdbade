"""Three tasks behind an explicit linear map, put where the balancers have a virtual one; all in float64."""

import torch

TASKS = ["a", "b", "c"]


def batch(step):
    """Return features, and a function from what the heads read to the tasks' losses per example."""
    random = torch.Generator().manual_seed(step)
    h = torch.randn(8, 3, generator=random, dtype=torch.float64).requires_grad_()
    y, k = torch.randn(8, generator=random, dtype=torch.float64), torch.randint(3, (8,), generator=random)

    def losses(read):
        return {
            "a": 9 * (read.sum(1) - y).square(),
            "b": torch.nn.functional.cross_entropy(read, k, reduction="none") / (1 + 0.1 * step),
            "c": (read[2:, 0] - read[2:, 1]).abs(),
        }

    return h, losses


def explicit_gradients(h, losses, function):
    """Differentiate a function of each task's mean loss by the map; shapes (T, n) and, of the losses, (T,)."""
    weight = torch.eye(3, dtype=torch.float64, requires_grad=True)
    bias = torch.zeros(3, dtype=torch.float64, requires_grad=True)
    means = [loss.mean() for loss in losses(h.detach() @ weight.T + bias).values()]
    rows = []
    for mean in means:
        found = torch.autograd.grad(function(mean), [weight, bias], retain_graph=True)
        rows.append(torch.cat([part.flatten() for part in found]))
    return torch.stack(rows), torch.stack(means).detach()
