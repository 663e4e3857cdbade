import pytest
import torch

from equipoise.merging.operators import MERGE_OPERATORS, Linear, RegMean, TaskArithmetic, make_merge_operator
from equipoise.testing import check_merge_operator


@pytest.mark.parametrize("name", MERGE_OPERATORS)
def test_every_operator_passes(name):
    check_merge_operator(MERGE_OPERATORS[name])


@pytest.mark.parametrize(
    ("name", "options"), [("ties", {"trim": "tensor"}), ("knots", {"inner": "dare_ties", "density": 0.5})]
)
def test_other_options_pass(name, options):
    check_merge_operator(lambda: make_merge_operator(name, **options))


class _Nameless(TaskArithmetic):
    summary = ""


class _Unnormalised(Linear):
    def default_weights(self, experts):
        return [1.0] * experts


class _Double(TaskArithmetic):
    def merge_tensor(self, column):
        return super().merge_tensor(column).double()


class _Flat(TaskArithmetic):
    def merge_tensor(self, column):
        return super().merge_tensor(column).flatten()


class _NotFinite(TaskArithmetic):
    def merge_tensor(self, column):
        return super().merge_tensor(column).log()


class _HandsBackAnInput(TaskArithmetic):
    def merge_tensor(self, column):
        return next(iter(column.vectors.values())) if len(column.vectors) == 1 else super().merge_tensor(column)


class _WritesIntoInputs(TaskArithmetic):
    def merge_tensor(self, column):
        return sum(vector.mul_(column.weights[expert]) for expert, vector in column.vectors.items())


class _Lossy(TaskArithmetic):
    def merge_tensor(self, column):
        return super().merge_tensor(column) / 2


class _Shifted(TaskArithmetic):
    lossless = False

    def merge_tensor(self, column):
        return super().merge_tensor(column) + 1


class _ByPlace(TaskArithmetic):
    def merge_tensor(self, column):
        return sum(
            column.weights[expert] * vector / (1 + place)
            for place, (expert, vector) in enumerate(column.vectors.items())
        )


class _ByOrder(TaskArithmetic):
    """It merges the experts as they come."""

    lossless = False

    def merge(self, vectors, weights, base, *rest, **options):
        first = {next(iter(vectors)): next(iter(vectors.values()))}
        yield from super().merge(vectors, weights, base, *rest, **options)
        yield from super().merge(first, {expert: weights[expert] for expert in first}, base, *rest, **options)


class _MindsMissing(TaskArithmetic):
    def merge(self, vectors, weights, base, *rest, **options):
        whole = all(len(vector) == len(base) for vector in vectors.values())
        for tensor, merged in super().merge(vectors, weights, base, *rest, **options):
            yield tensor, merged if whole else 2 * merged


class _CountsZeroWeights(TaskArithmetic):
    lossless = False

    def merge(self, vectors, weights, *given, **options):
        for tensor, merged in super().merge(vectors, weights, *given, **options):
            yield tensor, merged / len(vectors)


class _SaysItIsNormalised(TaskArithmetic):
    normalised = True


class _SaysItIsNot(Linear):
    normalised = False


class _Global(TaskArithmetic):
    def merge_tensor(self, column):
        torch.rand(())
        return super().merge_tensor(column)


class _Unrepeatable(TaskArithmetic):
    random = True
    lossless = False

    def merge_tensor(self, column):
        merged = super().merge_tensor(column)
        return merged * (1 + torch.rand((), generator=_GENERATOR))


_GENERATOR = torch.Generator()


class _SecretlyRandom(TaskArithmetic):
    lossless = False

    def merge_tensor(self, column):
        return super().merge_tensor(column) * (1 + column.seed % 97)


class _SaysItIsRandom(TaskArithmetic):
    random = True


class _BadSurvey(TaskArithmetic):
    """What it says is not what it looks at."""

    lossless = False

    def survey(self, vectors, linear=None):
        return {expert: float(linear is not None and len(vectors)) for expert in vectors}

    def merge(self, *given, survey=None, **options):
        return super().merge(*given, survey=survey and dict.fromkeys(survey, 9.0), **options)

    def merge_tensor(self, column):
        return super().merge_tensor(column) * sum(column.survey.values())


class _PreparesWhatItWritesTo(TaskArithmetic):
    def prepare(self, vectors):
        return torch.zeros_like(next(iter(vectors.values())))

    def merge_tensor(self, column):
        return column.prepared.add_(super().merge_tensor(column))


class _SaysItIsAnotherSum(TaskArithmetic):
    def coefficients(self, weights, survey):
        return dict.fromkeys(weights, 1.0)


class _NeedsNothingAfterAll(RegMean):
    def merge(self, vectors, weights, base, statistics=None, *rest, **options):
        return super().merge(vectors, weights, base, statistics or {}, *rest, **options)


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (_Nameless, "no `summary`"),
        (_Unnormalised, "do not sum to 1"),
        (_Double, "is torch.float64, not torch.float32"),
        (_Flat, "has shape"),
        (_NotFinite, "is not finite"),
        (_HandsBackAnInput, "task vector of 'anger' was changed"),
        (_WritesIntoInputs, "task vector of 'anger' was changed"),
        (_Lossy, "not merged into itself, as `lossless` says"),
        (_Shifted, "zeros are not merged into zeros"),
        (_ByPlace, "names of the experts change"),
        (_ByOrder, "The merged tensors are|order of the experts"),
        (_MindsMissing, "missing in one expert"),
        (_CountsZeroWeights, "weight 0 changes"),
        (_SaysItIsNormalised, "Twice the weights change the result"),
        (_SaysItIsNot, "do not double the result"),
        (_Global, "global random state"),
        (_Unrepeatable, "Equal seeds give different results|order"),
        (_SecretlyRandom, "`random` is False"),
        (_SaysItIsRandom, "`random` is True"),
        (_BadSurvey, "survey that is given back"),
        (_PreparesWhatItWritesTo, "cache changes the result"),
        (_SaysItIsAnotherSum, "not the sum that `coefficients` says"),
        (_NeedsNothingAfterAll, "no UsageError for missing statistics"),
    ],
)
def test_a_broken_operator_is_caught(broken, message):
    with pytest.raises(AssertionError, match=message):
        check_merge_operator(broken)
