"""What a balancer reads of the task gradients, and where they are taken."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Literal

import torch
from torch import Tensor

from .feature_gradients import (
    SCALES,
    UnreadViewError,
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
        tasks: all tasks, in order.

    Raises:
        ValueError: If there is no such place, or the balancer cannot use it.
    """

    def __init__(self, where: str, needs: Needs, tasks: Iterable[str]) -> None:
        if where not in PLACES:
            raise ValueError(f"`where` must be one of {', '.join(PLACES)}. Found {where!r}.")
        if where == "features" and needs in ("gradients", "halves"):
            raise ValueError(
                "`where: features` gives gradients of another shape in every batch, which this balancer cannot "
                "compare. Use map or parameters."
            )
        self.where = where
        self.needs = needs
        # Each of them has one loss to differentiate, or one for each half of its examples.
        self._tasks = [task for task in tasks for _ in range(2 if needs == "halves" else 1)]

    def read_batch(
        self,
        parts: Mapping[str, Tensor],
        features: Features | None,
        parameters: Iterable[Tensor] | None,
        beside: Tensor,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Measure and read in one go, by the cheaper way there may be, with one copy from the device.

        Args:
            parts: see `measure`.
            features: see `measure`.
            parameters: see `measure`.
            beside: further numbers, which come along.

        Returns:
            Both results of `read`, and `beside`, float64 on the CPU.
        """
        if self.where == "parameters" or features is None:
            return self._bring(self.measure(parts, features, parameters), beside)
        losses, views = self._losses_of(parts), self._views_of(features)
        for scale in SCALES:
            with self._naming_tasks():
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
        parts: Mapping[str, Tensor],
        features: Features | None,
        parameters: Iterable[Tensor] | None,
    ) -> Tensor:
        """Differentiate the tasks' losses.

        Args:
            parts: per task present its examples' parts of its loss, shape (n_t,), or its loss.
            features: the shared features.
            parameters: the shared parameters.

        Returns:
            Shape (T, …); an absent task has gradient 0.

        Raises:
            ValueError: If what the gradients are taken at is missing, a loss does not depend on its view of the
                features, or a scalar is to be halved.
        """
        losses = self._losses_of(parts)
        if self.where == "parameters":
            if parameters is None:
                raise ValueError(
                    "This balancer needs gradients at the parameters: pass `parameters=`, the shared ones."
                )
            return self._split_halves(parameter_gradients(losses, list(parameters)))
        if features is None:
            raise ValueError("This balancer needs gradients: pass `features=`, which all heads read.")
        views = self._views_of(features)
        with self._naming_tasks():
            return self._place(feature_gradients(losses, views), views[0])

    def _losses_of(self, parts: Mapping[str, Tensor]) -> list[Tensor | None]:
        """Return the losses to differentiate; None for absent tasks."""
        if self.needs != "halves":
            return [parts[task].sum() if task in parts else None for task in self._tasks]
        for task, part in parts.items():
            if part.dim() == 0:
                raise ValueError(
                    f"This balancer halves the batch: losses['{task}'] must hold one loss per example, found a scalar."
                )
        places = enumerate(self._tasks)
        return [2 * parts[task][place % 2 :: 2].sum() if task in parts else None for place, task in places]

    def _views_of(self, features: Features) -> list[Tensor]:
        """Return what each of these losses reads of the features; for absent tasks any of them."""
        some = _one_view(features)
        return [some if isinstance(features, Tensor) else features.get(task, some) for task in self._tasks]

    @contextmanager
    def _naming_tasks(self) -> Iterator[None]:
        """Name the task whose head reads another view than its own."""
        try:
            yield
        except UnreadViewError as error:
            raise ValueError(
                f"The loss of '{self._tasks[error.place]}' does not depend on its view of `features`, but on another "
                "view or on the features themselves. Let each head read its own view and nothing else, or pass the one "
                "tensor that all heads read."
            ) from None

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


def _one_view(features: Features) -> Tensor:
    """Return the features as any head reads them."""
    return features if isinstance(features, Tensor) else next(iter(features.values()))


def _to_cpu(squares: Tensor, products: Tensor, beside: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Bring numbers to the CPU in float64, by one copy: a GPU is waited for once."""
    tensors = squares, products, beside
    numbers = torch.cat([double(tensor).flatten() for tensor in tensors]).cpu()
    one, other, last = numbers.split([tensor.numel() for tensor in tensors])
    return one, other.view(products.shape), last
