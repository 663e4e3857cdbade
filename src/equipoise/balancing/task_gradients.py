"""What a balancer reads of the task gradients, and where they are taken."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

import torch
from torch import Tensor

from .feature_gradients import feature_gradients, gramian, map_gradients, map_gramian, parameter_gradients

Needs = Literal["losses", "gramian", "gradients", "halves"]
PLACES = ("map", "features", "parameters")
"""Where gradients can be taken."""


class TaskGradients:
    """Measures task gradients in a form that adds up over micro-batches and processes, and reads it for a balancer.

    Args:
        where: "map": at the virtual linear map on the features. "features": at the features themselves, where only
            tasks that share rows can conflict (as in MGDA-UB, Sener and Koltun, 2018, arXiv 1810.04650).
            "parameters": at the shared parameters, one backward pass per task.
        needs: "gramian": K, the inner products of the gradients. "gradients": G, one row per task. "halves": the inner
            products of the gradients of one half of the examples with those of the other.

    Raises:
        ValueError: If there is no such place, or the balancer cannot use it.
    """

    def __init__(self, where: str, needs: Needs) -> None:
        if where not in PLACES:
            raise ValueError(f"`where` must be one of {', '.join(PLACES)}. Found {where!r}.")
        if where == "features" and needs in ("gradients", "halves"):
            raise ValueError(
                "`where: features` gives gradients of another shape in every batch, which this balancer cannot "
                "compare. Use map or parameters."
            )
        self.where = where
        self.needs = needs

    def losses_of(self, parts: Mapping[str, Tensor], tasks: Iterable[str]) -> list[Tensor | None]:
        """Return the losses to differentiate: per task one, or one per half of its examples; None for absent tasks.

        Args:
            parts: per task present its examples' parts of its loss, shape (n_t,), or its loss.
            tasks: all tasks.

        Raises:
            ValueError: If a scalar is to be halved.
        """
        if self.needs != "halves":
            return [parts[task].sum() if task in parts else None for task in tasks]
        for task, part in parts.items():
            if part.dim() == 0:
                raise ValueError(
                    f"This balancer halves the batch: losses['{task}'] must hold one loss per example, found a scalar."
                )
        return [2 * parts[task][half::2].sum() if task in parts else None for task in tasks for half in (0, 1)]

    def read_batch(
        self, losses: Sequence[Tensor | None], features: Tensor | None, parameters: Iterable[Tensor] | None
    ) -> tuple[Tensor, Tensor]:
        """Measure and read in one go, by the cheaper way there may be; see `measure` and `read`."""
        if self.where == "map" and self.needs == "gramian" and features is not None:
            products = map_gramian(feature_gradients(losses, features), features).cpu()
            return products.diagonal(), products
        return self.read(self.measure(losses, features, parameters))

    def measure(
        self, losses: Sequence[Tensor | None], features: Tensor | None, parameters: Iterable[Tensor] | None
    ) -> Tensor:
        """Differentiate the losses.

        Args:
            losses: T scalars, None for an absent task; with `needs` = "halves" 2T, both halves of each task together.
            features: the shared features.
            parameters: the shared parameters.

        Returns:
            Shape (T, …).

        Raises:
            ValueError: If what the gradients are taken at is missing.
        """
        if self.where == "parameters":
            if parameters is None:
                raise ValueError(
                    "This balancer needs gradients at the parameters: pass `parameters=`, the shared ones."
                )
            gradients = parameter_gradients(losses, list(parameters))
        else:
            if features is None:
                raise ValueError("This balancer needs gradients: pass `features=`, which all heads read.")
            gradients = feature_gradients(losses, features)
            if self.where == "features":
                return gramian(gradients)
            gradients = map_gradients(gradients, features)
        if self.needs == "halves":
            return gradients.unflatten(0, (-1, 2))
        return gradients

    def read(self, measured: Tensor) -> tuple[Tensor, Tensor]:
        """Read what the balancer needs.

        Args:
            measured: the sum of what `measure` returned for all parts of the batch.

        Returns:
            The squared norms of the gradients, float64 on the CPU, shape (T,), and what the balancer reads: products of
            shape (T, T), float64 on the CPU, or gradients of shape (T, n), as they are.
        """
        if self.where == "features":
            products = measured.cpu()
        elif self.needs == "gramian":
            products = gramian(measured).cpu()
        elif self.needs == "halves":
            squares = measured.double().square().flatten(1).sum(1)
            return squares.cpu(), gramian(measured[:, 0], measured[:, 1]).cpu()
        else:
            rows = measured.flatten(1)
            return torch.linalg.vector_norm(rows, dim=1, dtype=torch.float64).square().cpu(), rows
        return products.diagonal(), products

    @property
    def pairwise(self) -> bool:
        """Whether `read` returns products of every two tasks' gradients."""
        return self.needs != "gradients"
