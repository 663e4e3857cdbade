import pytest
import torch
from torchjd.aggregation import IMTLGWeighting

from equipoise.balancing import DynamicAdaptiveLoss, EqualWeights, LabelStats
from equipoise.balancing.feature_gradients import feature_gradients, map_gramian

KINDS = {"score": "regression", "polarity": "classification"}


def _two_tasks(seed, scale=1.0):
    """Two tasks on other rows of the same features, with a label imbalance."""
    random = torch.Generator().manual_seed(seed)
    features = torch.randn(10, 6, generator=random, dtype=torch.float64).requires_grad_()
    heads = [torch.randn(6, size, generator=random, dtype=torch.float64) for size in (1, 3)]
    scores = torch.randn(8, generator=random, dtype=torch.float64)
    classes = torch.tensor([0, 0, 0, 0, 0, 1, 2])
    losses = {
        "score": scale * ((features[:8] @ heads[0]).squeeze(1) - scores).square(),
        "polarity": torch.nn.functional.cross_entropy(features[3:] @ heads[1], classes, reduction="none"),
    }
    return features, losses, {"score": scores, "polarity": classes}


def test_weights_worked_by_hand():
    # L_a = mean of x over two rows: δ = (½, 0) on each; with h = 0 the Gramian is Σ_ij δ_i·δ_j = 1, so |g_a| = 1.
    # L_b = 4 L_a: |g_b| = 4. λ ∝ (1, ¼), sum 2: 1.6 and 0.4.
    h = torch.zeros(2, 2, requires_grad=True)
    balance = DynamicAdaptiveLoss(["a", "b"])
    scalar = balance({"a": h[:, 0] + 1, "b": 4 * h[:, 0] + 2}, features=h)
    assert balance.weights == pytest.approx({"a": 1.6, "b": 0.4})
    assert scalar.item() == pytest.approx(1.6 * 1 + 0.4 * 2)


@pytest.mark.parametrize("example_weights", [True, False])
def test_two_tasks_equal_imtl_g_of_torchjd(example_weights):
    for seed in range(20):
        features, losses, targets = _two_tasks(seed, scale=10.0 ** (seed % 5 - 2))
        stats = {task: LabelStats.fit(KINDS[task], labels) for task, labels in targets.items()}
        balance = DynamicAdaptiveLoss(KINDS, label_stats=stats, example_weights=example_weights, clip=(1e-9, 2.0))
        balance(losses, features=features, targets=targets)
        weighed = {
            task: loss * balance.weigh_examples(task, targets[task]).double() if example_weights else loss
            for task, loss in losses.items()
        }
        products = map_gramian(feature_gradients([loss.mean() for loss in weighed.values()], features), features)
        cosine = products[0, 1] / (products[0, 0] * products[1, 1]).sqrt()
        assert abs(cosine) < 0.99
        reference = 2 * IMTLGWeighting()(products)
        assert list(balance.weights.values()) == pytest.approx(reference.tolist(), rel=1e-9)


def test_a_thousand_times_larger_loss_changes_neither_direction_nor_the_other_tasks_share():
    gradients, weights = [], []
    for scale in (1.0, 1000.0):
        features, losses, targets = _two_tasks(0, scale)
        balance = DynamicAdaptiveLoss(KINDS, clip=(1e-6, 1e6))
        balance(losses, features=features, targets=targets).backward()
        gradients.append(features.grad)
        weights.append(balance.weights)
    ratio = [one["score"] / one["polarity"] for one in weights]
    assert ratio[1] == pytest.approx(ratio[0] / 1000, rel=1e-9)
    assert torch.cosine_similarity(gradients[0].flatten(), gradients[1].flatten(), dim=0).item() == pytest.approx(1)


def test_the_clip_bounds_what_scale_can_do():
    features, losses, targets = _two_tasks(0, 1e6)
    balance = DynamicAdaptiveLoss(KINDS, clip=(0.01, 100.0))
    balance(losses, features=features, targets=targets)
    assert balance.weights == pytest.approx({"score": 0.01, "polarity": 1.99})


def test_a_loss_a_thousand_times_larger_is_undone_by_default():
    weights = []
    for scale in (1.0, 1000.0):
        features, losses, targets = _two_tasks(0, scale)
        balance = DynamicAdaptiveLoss(KINDS)
        balance(losses, features=features, targets=targets)
        weights.append(balance.weights)
    ratio = [one["score"] / one["polarity"] for one in weights]
    assert ratio[1] == pytest.approx(ratio[0] / 1000, rel=1e-6)


def test_gradient_norms_are_equal_after_weighting_for_three_tasks():
    random = torch.Generator().manual_seed(3)
    features = torch.randn(9, 4, generator=random, dtype=torch.float64).requires_grad_()
    heads = torch.randn(3, 4, generator=random, dtype=torch.float64) * torch.tensor([[1.0], [20.0], [0.3]])
    losses = {name: (features @ head).square() for name, head in zip("abc", heads, strict=True)}
    balance = DynamicAdaptiveLoss(["a", "b", "c"], clip=(1e-9, 3.0))
    balance(losses, features=features)
    products = map_gramian(feature_gradients([loss.mean() for loss in losses.values()], features), features)
    pulls = torch.tensor(list(balance.weights.values())) * products.diagonal().sqrt()
    assert pulls.tolist() == pytest.approx([pulls[0].item()] * 3)
    assert sum(balance.weights.values()) == pytest.approx(3)


def test_no_gradient_anywhere_gives_equal_weights():
    h = torch.zeros(2, 3, requires_grad=True)
    balance = DynamicAdaptiveLoss(["a", "b"])
    balance({"a": h.square().sum(1), "b": h.square().sum(1)}, features=h)
    assert balance.weights == {"a": 1.0, "b": 1.0}


def test_without_task_and_example_weights_it_is_equal_weights():
    _, losses, targets = _two_tasks(1)
    off = DynamicAdaptiveLoss(KINDS, task_weights=False)
    assert torch.equal(off(losses, targets=targets), EqualWeights(KINDS)(losses))


def test_example_weights_can_be_chosen_per_task():
    targets = _two_tasks(1)[2]
    balance = DynamicAdaptiveLoss(KINDS, example_weights=["polarity"])
    assert balance.weigh_examples("score", targets["score"]) is None
    assert balance.weigh_examples("polarity", targets["polarity"]).std() > 0


def test_unknown_kinds_and_missing_targets_have_no_example_weights():
    kinds = {"a": "multilabel", "b": "classification"}
    balance = DynamicAdaptiveLoss(kinds, task_weights=False, example_weights=True)
    losses = {"a": torch.tensor([1.0, 3.0]), "b": torch.tensor([1.0, 3.0])}
    assert balance(losses, targets={"a": torch.ones(2, 5)}).item() == 4.0


def test_label_stats_take_the_place_of_the_running_labels():
    labels = torch.tensor([0] * 30 + [1] * 10)
    fitted = DynamicAdaptiveLoss(
        {"a": "classification"},
        task_weights=False,
        example_weights=True,
        label_stats={"a": LabelStats.fit("classification", labels)},
    )
    running = DynamicAdaptiveLoss({"a": "classification"}, task_weights=False, example_weights=True)
    entry, ones = {"a": torch.ones(4)}, {"a": torch.ones(4, dtype=torch.long)}
    running({"a": torch.ones(36)}, targets={"a": labels[:36]})
    assert running(entry, targets={"a": labels[36:]}).item() == pytest.approx(fitted(entry, targets=ones).item())
    assert "state.labels.a" in running.state_dict()
    assert "state.labels.a" not in fitted.state_dict()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"beta": 1.0}, r"`beta` must be in \[0, 1\)"),
        ({"temper": -1}, "`temper`"),
        ({"smoothing": 1}, r"`smoothing` must be in \[0, 1\)"),
        ({"limit": 0.5}, "`limit` must be at least 1"),
        ({"limit": "big"}, "`limit`"),
        ({"task_weights": "no"}, "`task_weights` must be true or false"),
        ({"example_weights": "score"}, "`example_weights` must be true, false or a list"),
        ({"example_weights": ["scores"]}, "Did you mean 'score'"),
        ({"label_stats": {"polar": None}}, "`label_stats` has an unknown task 'polar'"),
        (
            {"label_stats": {"score": LabelStats.fit("classification", [0])}},
            "of kind 'regression', its label statistics are of 'classification'",
        ),
    ],
)
def test_bad_options_are_answered(options, message):
    with pytest.raises(ValueError, match=message):
        DynamicAdaptiveLoss(KINDS, **options)


def test_targets_of_the_wrong_type_are_answered():
    balance = DynamicAdaptiveLoss(KINDS, task_weights=False, example_weights=True)
    with pytest.raises(ValueError, match=r"targets\['polarity'\] are torch.float32 .* class indices"):
        balance({"polarity": torch.ones(2)}, targets={"polarity": torch.ones(2)})
    with pytest.raises(ValueError, match=r"targets\['score'\]: .* finite"):
        balance({"score": torch.ones(1)}, targets={"score": torch.tensor([float("nan")])})


def test_a_solved_task_does_not_take_all_the_weight():
    """Its gradient falls a thousandfold below its own mean, and counts as a tenth of that mean."""
    balance, undamped = DynamicAdaptiveLoss(["solved", "hard"]), DynamicAdaptiveLoss(["solved", "hard"], floor=0.0)
    for step in range(20):
        h = torch.ones(2, 2, dtype=torch.float64, requires_grad=True)
        losses = {"solved": (1.0 if step < 10 else 1e-3) * h[:, 0], "hard": h[:, 1]}
        for balancer in (balance, undamped):
            balancer(losses, features=h)
    assert undamped.weights["hard"] < 0.005
    assert balance.weights["hard"] > 0.05
    assert balance.weights["solved"] / balance.weights["hard"] == pytest.approx(1 / (0.1 * 10.01 / 20), rel=1e-3)


def test_smoothed_norms_are_a_moving_average_without_its_first_zeros():
    """Norms 1 and 3 under β = ½ are 1, then (½ · ½ · 1 + ½ · 3) / (1 − ¼) = 7/3; each step's own are 1, then 3."""
    smoothed, plain = DynamicAdaptiveLoss(["jumps", "steady"], smoothing=0.5), DynamicAdaptiveLoss(["jumps", "steady"])
    for scale, usual in ((1.0, 1.0), (3.0, 7 / 3)):
        for balancer, norm in ((smoothed, usual), (plain, scale)):
            h = torch.ones(2, 2, dtype=torch.float64, requires_grad=True)
            balancer({"jumps": scale * h[:, 0], "steady": h[:, 1]}, features=h)
            assert balancer.weights["steady"] / balancer.weights["jumps"] == pytest.approx(norm, rel=1e-6)


@pytest.mark.parametrize("stats", [True, False])
def test_evaluating_keeps_the_weights_and_remembers_nothing(stats):
    features, losses, targets = _two_tasks(0)
    fitted = {task: LabelStats.fit(KINDS[task], labels) for task, labels in targets.items()} if stats else None
    balance = DynamicAdaptiveLoss(KINDS, example_weights=True, label_stats=fitted)
    with torch.no_grad():
        untrained = balance({task: loss.detach() for task, loss in losses.items()}, targets=targets)
    assert untrained.isfinite()
    balance(losses, features=features, targets=targets)
    weights, state = balance.weights, {key: value.clone() for key, value in balance.state_dict().items()}
    features, losses, targets = _two_tasks(1)
    with torch.no_grad():
        balance({task: loss.detach() for task, loss in losses.items()}, targets=targets)
    balance.eval()
    scalar = balance(losses, targets=targets)
    assert scalar.requires_grad
    assert balance.weights == weights
    for key, value in balance.state_dict().items():
        assert torch.equal(value, state[key])


def test_a_class_below_zero_is_answered():
    features, losses, targets = _two_tasks(0)
    targets["polarity"][0] = -100
    stats = {"polarity": LabelStats.fit("classification", [0, 1, 2])}
    balance = DynamicAdaptiveLoss(KINDS, example_weights=True, label_stats=stats)
    with pytest.raises(ValueError, match="leave rows without a label out"):
        balance(losses, features=features, targets=targets)


def test_a_misspelt_kind_is_answered():
    with pytest.raises(ValueError, match=r"unknown kind 'clasification'. Did you mean 'classification'"):
        DynamicAdaptiveLoss({"polarity": "clasification"})
