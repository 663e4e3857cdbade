import pytest

from equipoise.balancing import BALANCERS, DynamicAdaptiveLoss, make_balancer
from equipoise.errors import UsageError

TASKS = {"score": "regression", "polarity": "classification"}


def test_options_reach_the_balancer():
    balance = make_balancer("dao", TASKS, {"clip": [0.1, 10], "example_weights": False})
    assert isinstance(balance, DynamicAdaptiveLoss)
    assert balance.clip == (0.1, 10.0)
    assert balance.tasks == TASKS


@pytest.mark.parametrize("name", ["dao", "equal", "uncertainty"])
def test_options_may_be_left_out(name):
    assert type(make_balancer(name, TASKS)) is BALANCERS[name]


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("daoo", {}, "no balancer 'daoo'. Did you mean 'dao'"),
        ("nash", {}, "Did you mean 'nash_mtl'"),
        ("DB-MTL", {}, "no balancer 'DB-MTL'. Did you mean 'db_mtl'"),
        ("zzz", {}, "no balancer 'zzz'. There is: 'aligned_mtl', 'cagrad', .* and . more"),
        (
            "dao",
            {"betta": 1},
            "'dao' has no option 'betta'. Did you mean 'beta'.* Its options: task_weights, example_weights",
        ),
        ("uncertainty", {"zzz": 1}, "There is: 'alignment', 'clip', 'lr'"),
        ("equal", {"tasks": 1}, "'equal' has no option 'tasks'. There is: 'alignment'"),
        ("dao", {"beta": 3}, r"balance: dao: `beta` must be in \[0, 1\). Found 3"),
        ("dao", {"clip": 1}, "`clip` must be the smallest and the largest weight"),
        ("uncertainty", {"lr": "fast"}, "`lr` must be a positive number. Found 'fast'"),
        ("static", {}, "'static' needs the option 'weights'"),
        ("static", {"weights": [1, 2]}, "`weights` must map every task to a number"),
        ("static", {"weights": {"score": 1, "polarty": 1}}, "unknown task 'polarty'. Did you mean 'polarity'"),
        ("static", {"weights": {"score": 1}}, "`weights` must map every task to a number. There is none for polarity"),
        ("static", {"weights": {"score": 1, "polarity": -1}}, r"weights\['polarity'\].* Found -1"),
        ("static", {"weights": {"score": 0, "polarity": 0}}, r"weights\['score'\].* Found 0"),
    ],
)
def test_a_mistake_in_the_run_file_is_answered(name, options, message):
    with pytest.raises(UsageError, match=message):
        make_balancer(name, TASKS, options)
