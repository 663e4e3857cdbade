"""A check suite for merge operators: run it over your own."""

import math
from collections.abc import Callable, Iterator, Mapping

import torch
from torch import Tensor

from equipoise.errors import UsageError
from equipoise.merging import MergeOperator, Reuse

Make = Callable[[], MergeOperator]

SHAPES = {"scale": (), "norm.bias": (7,), "embedding": (9, 5), "up": (6, 5), "down": (5, 6), "filter": (4, 3, 2, 2)}
"""The tensors that are merged, by name."""
LINEAR = ("up", "down")
EXPERTS = ("anger", "irony", "polarity")
WEIGHTS = (0.5, 1.25, 0.75)


def check_merge_operator(make: Make) -> None:
    """Check that a merge operator keeps the contract of `equipoise.merging.operators.MergeOperator`.

    It merges up to three experts that differ in tensors of zero, one, two and four dimensions, and checks:

    - the result is float32, finite, of the base's shapes, in memory of its own, and the inputs are as they were;
    - one expert with weight 1 is merged into itself, if the class says `lossless`; zeros are merged into zeros;
    - neither the order of the experts nor, unless it says `random`, their names change anything;
    - a missing tensor counts as zeros, and an expert with weight 0 is as good as left out;
    - twice the weights give the same if it says `normalized`, else twice the vector; default weights are as stated;
    - equal seeds give equal results, other seeds other ones only if it says `random`, and torch's global random state
      is left alone;
    - global statistics that are given back change nothing, nor does a cache, and the merge is the sum that
      `coefficients` says;
    - too many experts and missing statistics are answered with a `UsageError`.

    Args:
        make: the operator's class, or a function without arguments that makes one.

    Raises:
        AssertionError: If the operator breaks the contract; the message says how.

    Example:
        >>> from equipoise.merging.operators import TIES
        >>> from equipoise.testing import check_merge_operator
        >>> check_merge_operator(TIES)
    """
    for check in (
        _check_description,
        _check_result,
        _check_identity,
        _check_zeros,
        _check_order,
        _check_names,
        _check_missing_tensor,
        _check_zero_weight,
        _check_weights,
        _check_seed,
        _check_global_stats,
        _check_cache,
        _check_coefficients,
        _check_mistakes,
    ):
        check(make())


class _Case:
    """Experts with random task vectors, a base, and statistics of the kind that the operator needs."""

    def __init__(self, operator: MergeOperator, experts: int | None = None) -> None:
        most = len(EXPERTS) if operator.most_experts is None else operator.most_experts
        self.operator = operator
        self.experts = EXPERTS[: min(most, len(EXPERTS) if experts is None else experts)]
        self.weights = dict(zip(self.experts, WEIGHTS, strict=False))
        generator = torch.Generator().manual_seed(0)
        self.base = {name: torch.randn(shape, generator=generator) for name, shape in SHAPES.items()}
        self.vectors: dict[str, dict[str, Tensor]] = {}
        self.statistics: dict[str, dict[str, Tensor]] = {}
        for expert in self.experts:
            self.vectors[expert] = {name: torch.randn(shape, generator=generator) for name, shape in SHAPES.items()}
            self.statistics[expert] = dict(_statistics(operator, generator))

    def merge(self, **changes: object) -> dict[str, Tensor]:
        """Merge, with some arguments changed."""
        arguments: dict = {
            "vectors": self.vectors,
            "weights": self.weights,
            "base": self.base,
            "statistics": self.statistics if self.operator.statistics else None,
            "linear": LINEAR,
        }
        return dict(self.operator.merge(**(arguments | changes)))


def _statistics(operator: MergeOperator, generator: torch.Generator) -> Iterator[tuple[str, Tensor]]:
    for name, shape in SHAPES.items():
        if operator.statistics == "inputs" and name in LINEAR:
            inputs = torch.randn((20, shape[-1]), generator=generator)
            yield name, inputs.mT @ inputs
        elif operator.statistics == "fisher" and name != "embedding":
            yield name, torch.randn(shape, generator=generator).square()


def _check_description(operator: MergeOperator) -> None:
    assert operator.name, "The operator has no `name`."
    assert operator.summary, "The operator has no `summary`."
    assert operator.statistics in ("", "inputs", "fisher"), (
        f"`statistics` is {operator.statistics!r}; expected 'inputs', 'fisher' or ''."
    )
    for experts in range(1, 1 + (operator.most_experts or 4)):
        weights = operator.default_weights(experts)
        assert len(weights) == experts, f"There are {len(weights)} default weights for {experts} experts."
        assert all(math.isfinite(weight) for weight in weights), f"The default weights are {weights}."
        assert not operator.normalized or math.isclose(sum(weights), 1), (
            f"The class says `normalized`, but the default weights {weights} do not sum to 1."
        )


def _check_result(operator: MergeOperator) -> None:
    case, before = _Case(operator), _Case(operator)
    merged = case.merge()
    assert list(merged) == list(SHAPES), f"The merged tensors are {list(merged)}, not {list(SHAPES)}."
    for name, tensor in merged.items():
        assert tensor.dtype == torch.float32, f"The merged '{name}' is {tensor.dtype}, not torch.float32."
        assert tensor.shape == SHAPES[name], f"The merged '{name}' has shape {tuple(tensor.shape)}, not {SHAPES[name]}."
        assert tensor.isfinite().all(), f"The merged '{name}' is not finite."
    for experts in (case, _Case(operator, 1)):
        # Writing into the result shows whether it shares memory with an input.
        for tensor in experts.merge().values():
            tensor.fill_(-7.0)
        for expert, vector in experts.vectors.items():
            _check_same(vector, before.vectors[expert], f"The task vector of '{expert}' was changed")
        _check_same(experts.base, before.base, "The base was changed")
        for expert, statistics in experts.statistics.items():
            _check_same(statistics, before.statistics[expert], f"The statistics of '{expert}' were changed")


def _check_identity(operator: MergeOperator) -> None:
    if operator.lossless:
        case = _Case(operator, 1)
        (vector,) = case.vectors.values()
        merged = case.merge(weights=dict.fromkeys(case.experts, 1.0))
        _check_close(merged, vector, "One expert with weight 1 is not merged into itself, as `lossless` says")


def _check_zeros(operator: MergeOperator) -> None:
    for experts in (1, None):
        case = _Case(operator, experts)
        zeros = {name: torch.zeros(shape) for name, shape in SHAPES.items()}
        merged = case.merge(vectors=dict.fromkeys(case.experts, zeros))
        _check_same(merged, zeros, "Task vectors of zeros are not merged into zeros")


def _check_order(operator: MergeOperator) -> None:
    case = _Case(operator)
    turned = dict(reversed(case.vectors.items()))
    _check_same(case.merge(vectors=turned), case.merge(), "The order of the experts changes the result")


def _check_names(operator: MergeOperator) -> None:
    if operator.random:
        return
    case = _Case(operator)
    renamed = dict(zip(case.experts, reversed(case.experts), strict=True))
    merged = case.merge(
        vectors={renamed[expert]: vector for expert, vector in case.vectors.items()},
        weights={renamed[expert]: weight for expert, weight in case.weights.items()},
        statistics={renamed[expert]: known for expert, known in case.statistics.items()},
    )
    _check_close(merged, case.merge(), "The names of the experts change the result, and it does not say `random`")


def _check_missing_tensor(operator: MergeOperator) -> None:
    case = _Case(operator)
    for name in ("norm.bias", "up"):
        vector = case.vectors[case.experts[-1]]
        expected = case.merge(
            vectors=case.vectors | {case.experts[-1]: vector | {name: torch.zeros_like(vector[name])}}
        )
        without = {other: values for other, values in vector.items() if other != name}
        merged = case.merge(vectors=case.vectors | {case.experts[-1]: without})
        _check_same(merged, expected, f"With '{name}' missing in one expert it is not as with zeros there")
        alone = {expert: {name: vector[name]} for expert, vector in case.vectors.items()}
        assert list(case.merge(vectors=alone)) == [name], "A tensor that no expert changed is merged."


def _check_zero_weight(operator: MergeOperator) -> None:
    case = _Case(operator)
    if len(case.experts) > 1:
        last = case.experts[-1]
        merged = case.merge(weights=case.weights | {last: 0.0})
        expected = case.merge(
            vectors={expert: vector for expert, vector in case.vectors.items() if expert != last},
            weights={expert: weight for expert, weight in case.weights.items() if expert != last},
        )
        _check_same(merged, expected, "An expert with weight 0 changes the result")


def _check_weights(operator: MergeOperator) -> None:
    case = _Case(operator)
    doubled = case.merge(weights={expert: 2 * weight for expert, weight in case.weights.items()})
    if operator.normalized:
        _check_close(doubled, case.merge(), "Twice the weights change the result, though it says `normalized`")
    else:
        expected = {name: 2 * tensor for name, tensor in case.merge().items()}
        _check_close(doubled, expected, "Twice the weights do not double the result, and it does not say `normalized`")


def _check_seed(operator: MergeOperator) -> None:
    case = _Case(operator)
    before = torch.random.get_rng_state()
    merged = case.merge(seed=1)
    torch.rand(())
    moved = torch.random.get_rng_state()
    again = case.merge(seed=1)
    untouched = torch.equal(moved, torch.random.get_rng_state())
    torch.random.set_rng_state(before)
    _check_same(again, merged, "Equal seeds give different results")
    assert untouched, "The operator draws from torch's global random state."
    differs = any(not torch.equal(tensor, merged[name]) for name, tensor in case.merge(seed=2).items())
    assert differs == operator.random, (
        f"Another seed {'changes' if differs else 'does not change'} the result, but `random` is {operator.random}."
    )


def _check_global_stats(operator: MergeOperator) -> None:
    case = _Case(operator)
    global_stats = operator.global_stats(case.vectors, LINEAR)
    _check_same(
        case.merge(reuse=Reuse(global_stats)), case.merge(), "Global statistics that are given back change the result"
    )


def _check_cache(operator: MergeOperator) -> None:
    case = _Case(operator)
    last = case.experts[-1]
    cache: dict = {}
    for weight in (case.weights[last], 3.0, 0.0 if len(case.experts) > 1 else 1.0, case.weights[last]):
        weights = case.weights | {last: weight}
        merged = case.merge(weights=weights, reuse=Reuse(cache=cache))
        _check_same(merged, case.merge(weights=weights), "A cache changes the result")
        # Writing into the result shows whether it shares memory with the cache.
        for tensor in merged.values():
            tensor.fill_(-7.0)


def _check_coefficients(operator: MergeOperator) -> None:
    case = _Case(operator)
    coefficients = operator.coefficients(case.weights, operator.global_stats(case.vectors, LINEAR))
    if coefficients is not None:
        expected = {
            name: sum(
                (coefficients[expert] * case.vectors[expert][name] for expert in case.experts), torch.zeros(shape)
            )
            for name, shape in SHAPES.items()
        }
        _check_close(case.merge(), expected, "The merge is not the sum that `coefficients` says")


def _check_mistakes(operator: MergeOperator) -> None:
    case = _Case(operator)
    cases: dict[str, dict[str, object]] = {"an expert without a weight": {"weights": {}}}
    if operator.statistics:
        cases["missing statistics"] = {"statistics": None}
    if operator.most_experts is not None:
        names = [*case.experts, "one-too-many"]
        vector = case.vectors[case.experts[0]]
        cases["too many experts"] = {"vectors": dict.fromkeys(names, vector), "weights": dict.fromkeys(names, 1.0)}
    for what, changes in cases.items():
        try:
            case.merge(**changes)
        except UsageError:
            continue
        raise AssertionError(f"There is no UsageError for {what}.")


def _check_same(found: Mapping[str, Tensor], expected: Mapping[str, Tensor], what: str) -> None:
    for name, tensor in expected.items():
        assert torch.equal(found[name], tensor), f"{what}: '{name}' is {found[name].tolist()}, not {tensor.tolist()}."


def _check_close(found: Mapping[str, Tensor], expected: Mapping[str, Tensor], what: str) -> None:
    for name, tensor in expected.items():
        assert torch.allclose(found[name], tensor, rtol=1e-4, atol=1e-5), (
            f"{what}: '{name}' is {found[name].tolist()}, not {tensor.tolist()}."
        )
