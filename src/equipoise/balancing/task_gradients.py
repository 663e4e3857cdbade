"""What a balancer reads of the task gradients, and where they are taken."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

import torch
from torch import Tensor

from .feature_gradients import (
    SCALES,
    double,
    feature_gradients,
    gramian,
    map_gradients,
    map_gramian,
    parameter_gradients,
    scaled_gradients,
)

Features = Tensor | Mapping[str, Tensor]
"""The features that all heads read, or by task a view of them that only its head reads."""
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

    def views_of(self, features: Features | None, tasks: Iterable[str]) -> list[Tensor] | None:
        """Return what each loss of `losses_of` reads of the features; for absent tasks any of them.

        Args:
            features: the shared features.
            tasks: all tasks.
        """
        if features is None:
            return None
        some = one_view(features)
        views = [some if isinstance(features, Tensor) else features.get(task, some) for task in tasks]
        return [view for view in views for _ in range(2 if self.needs == "halves" else 1)]

    def name_of(self, place: int, tasks: Iterable[str]) -> str:
        """Return the task of a loss of `losses_of`."""
        return list(tasks)[place // (2 if self.needs == "halves" else 1)]

    def read_batch(
        self,
        losses: Sequence[Tensor | None],
        views: Sequence[Tensor] | None,
        parameters: Iterable[Tensor] | None,
        beside: Tensor,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Measure and read in one go, by the cheaper way there may be, with one copy from the device.

        Args:
            losses: see `measure`.
            views: see `measure`.
            parameters: see `measure`.
            beside: further numbers, which come along.

        Returns:
            Both results of `read`, and `beside`, float64 on the CPU.
        """
        if self.where == "parameters" or views is None:
            return self._bring(self.measure(losses, views, parameters), beside)
        for scale in SCALES:
            deltas = scaled_gradients(losses, views, scale)
            if self.where == "map" and self.needs == "gramian":
                products = map_gramian(deltas, views[0])
                squares, products, numbers = _to_cpu(products.diagonal(), products, beside)
            else:
                squares, products, numbers = self._bring(self._place(deltas, views[0]), beside)
            # What overflows in a gradient does so in its norm.
            if bool(squares.isfinite().all()):
                break
        return squares, products, numbers

    def measure(
        self,
        losses: Sequence[Tensor | None],
        views: Sequence[Tensor] | None,
        parameters: Iterable[Tensor] | None,
    ) -> Tensor:
        """Differentiate the losses.

        Args:
            losses: T scalars, None for an absent task; with `needs` = "halves" 2T, both halves of each task together.
            views: what each of them reads of the shared features; see `views_of`.
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
            return self._split_halves(parameter_gradients(losses, list(parameters)))
        if views is None:
            raise ValueError("This balancer needs gradients: pass `features=`, which all heads read.")
        return self._place(feature_gradients(losses, views), views[0])

    def _place(self, deltas: Tensor, features: Tensor) -> Tensor:
        """Return what adds up, of the gradients at the features."""
        if self.where == "features":
            return gramian(deltas)
        return self._split_halves(map_gradients(deltas, features))

    def _split_halves(self, gradients: Tensor) -> Tensor:
        return gradients.unflatten(0, (-1, 2)) if self.needs == "halves" else gradients

    def read(self, measured: Tensor) -> tuple[Tensor, Tensor]:
        """Read what the balancer needs.

        Args:
            measured: the sum of what `measure` returned for all parts of the batch.

        Returns:
            The squared norms of the gradients, float64 on the CPU, shape (T,), and what the balancer reads: products of
            shape (T, T), float64 on the CPU, or gradients of shape (T, n), as they are.
        """
        squares, found, _ = self._bring(measured, measured.new_zeros(0))
        return squares, found

    def _bring(self, measured: Tensor, beside: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Read, and bring it to the CPU with further numbers."""
        if self.where == "features":
            return _to_cpu(measured.diagonal(), measured, beside)
        if self.needs == "gramian":
            products = gramian(measured)
            return _to_cpu(products.diagonal(), products, beside)
        if self.needs == "halves":
            squares = double(measured).square().flatten(1).sum(1)
            return _to_cpu(squares, gramian(measured[:, 0], measured[:, 1]), beside)
        rows = measured.flatten(1)
        squares = torch.linalg.vector_norm(rows, dim=1, dtype=torch.float64).square()
        squares, _, numbers = _to_cpu(squares, squares.new_zeros(0), beside)
        return squares, rows, numbers

    @property
    def pairwise(self) -> bool:
        """Whether `read` returns products of every two tasks' gradients."""
        return self.needs != "gradients"


def one_view(features: Features) -> Tensor:
    """Return the features as any head reads them."""
    return features if isinstance(features, Tensor) else next(iter(features.values()))


def _to_cpu(squares: Tensor, products: Tensor, beside: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Bring numbers to the CPU in float64, by one copy: a GPU is waited for once."""
    tensors = squares, products, beside
    numbers = torch.cat([double(tensor).flatten() for tensor in tensors]).cpu()
    one, other, last = numbers.split([tensor.numel() for tensor in tensors])
    return one, other.view(products.shape), last
