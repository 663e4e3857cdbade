import pytest
import torch

from equipoise.merging.operators import MERGE_OPERATORS, Linear, RegMean, Reuse, TaskArithmetic, make_merge_operator
from equipoise.testing import check_merge_operator

NOTHING = Reuse()


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


class _Unnormalized(Linear):
    def default_weights(self, experts):
        return [1.0] * experts


class _Double(TaskArithmetic):
    def merge_tensor(self, group):
        return super().merge_tensor(group).double()


class _Flat(TaskArithmetic):
    def merge_tensor(self, group):
        return super().merge_tensor(group).flatten()


class _NotFinite(TaskArithmetic):
    def merge_tensor(self, group):
        return super().merge_tensor(group).log()


class _HandsBackAnInput(TaskArithmetic):
    def merge_tensor(self, group):
        return next(iter(group.vectors.values())) if len(group.vectors) == 1 else super().merge_tensor(group)


class _WritesIntoInputs(TaskArithmetic):
    def merge_tensor(self, group):
        return sum(vector.mul_(group.weights[expert]) for expert, vector in group.vectors.items())


class _Lossy(TaskArithmetic):
    def merge_tensor(self, group):
        return super().merge_tensor(group) / 2


class _Shifted(TaskArithmetic):
    lossless = False

    def merge_tensor(self, group):
        return super().merge_tensor(group) + 1


class _ByPlace(TaskArithmetic):
    def merge_tensor(self, group):
        return sum(
            group.weights[expert] * vector / (1 + place) for place, (expert, vector) in enumerate(group.vectors.items())
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
    normalized = True


class _SaysItIsNot(Linear):
    normalized = False


class _Global(TaskArithmetic):
    def merge_tensor(self, group):
        torch.rand(())
        return super().merge_tensor(group)


class _Unrepeatable(TaskArithmetic):
    random = True
    lossless = False

    def merge_tensor(self, group):
        merged = super().merge_tensor(group)
        return merged * (1 + torch.rand((), generator=_GENERATOR))


_GENERATOR = torch.Generator()


class _SecretlyRandom(TaskArithmetic):
    lossless = False

    def merge_tensor(self, group):
        return super().merge_tensor(group) * (1 + group.seed % 97)


class _SaysItIsRandom(TaskArithmetic):
    random = True


class _BadSurvey(TaskArithmetic):
    """What it says is not what it looks at."""

    lossless = False

    def global_stats(self, vectors, linear=None):
        return {expert: float(linear is not None and len(vectors)) for expert in vectors}

    def merge(self, *given, reuse=NOTHING, **options):
        stats = reuse.global_stats and dict.fromkeys(reuse.global_stats, 9.0)
        return super().merge(*given, reuse=Reuse(stats, reuse.cache), **options)

    def merge_tensor(self, group):
        return super().merge_tensor(group) * sum(group.global_stats.values())


class _PreparesWhatItWritesTo(TaskArithmetic):
    def precompute(self, vectors):
        return torch.zeros_like(next(iter(vectors.values())))

    def merge_tensor(self, group):
        return group.precomputed.add_(super().merge_tensor(group))


class _SaysItIsAnotherSum(TaskArithmetic):
    def coefficients(self, weights, global_stats):
        return dict.fromkeys(weights, 1.0)


class _NeedsNothingAfterAll(RegMean):
    def merge(self, vectors, weights, base, statistics=None, *rest, **options):
        return super().merge(vectors, weights, base, statistics or {}, *rest, **options)


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (_Nameless, "no `summary`"),
        (_Unnormalized, "do not sum to 1"),
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
        (_BadSurvey, "Global statistics that are given back"),
        (_PreparesWhatItWritesTo, "cache changes the result"),
        (_SaysItIsAnotherSum, "not the sum that `coefficients` says"),
        (_NeedsNothingAfterAll, "no UsageError for missing statistics"),
    ],
)
def test_a_broken_operator_is_caught(broken, message):
    with pytest.raises(AssertionError, match=message):
        check_merge_operator(broken)
