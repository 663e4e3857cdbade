import pytest

from equipoise.kinds import Classification, Regression


@pytest.fixture
def polarity():
    return Classification(
        "polarity",
        "posts",
        "text",
        None,
        "score",
        "macro_f1",
        ("negative", "neutral", "positive"),
        from_score=True,
        thresholds=(-0.2, 0.2),
    )


@pytest.fixture
def intensity():
    return Regression("intensity", "posts", "text", None, "score", "pearson", (-4, 4))
