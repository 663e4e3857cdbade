import pytest
import torch

from equipoise.balancing.simplex import project_onto_simplex, shares_within


@pytest.mark.parametrize(
    ("point", "expected"),
    [
        ([0.2, 0.3, 0.5], [0.2, 0.3, 0.5]),
        ([1.2, 1.3, 1.5], [0.2, 0.3, 0.5]),
        ([5.0, 0.0, -1.0], [1.0, 0.0, 0.0]),
        ([0.5, 0.9, -3.0], [0.3, 0.7, 0.0]),
        ([2.0, 2.0, 2.0], [1 / 3, 1 / 3, 1 / 3]),
        ([-7.0], [1.0]),
    ],
)
def test_the_projection_is_the_nearest_point_of_the_simplex(point, expected):
    projected = project_onto_simplex(torch.tensor(point, dtype=torch.float64))
    assert projected.tolist() == pytest.approx(expected, abs=1e-12)


def test_no_point_of_the_simplex_is_nearer_than_the_projection():
    random = torch.Generator().manual_seed(0)
    for _ in range(20):
        point = 2 * torch.randn(4, generator=random, dtype=torch.float64)
        projected = project_onto_simplex(point)
        others = torch.distributions.Dirichlet(torch.full((4,), 0.5, dtype=torch.float64)).sample((200,))
        assert (projected - point).norm() <= (others - point).norm(dim=1).min()


def test_shares_of_some_tasks_sum_to_1_and_are_equal_where_they_have_none():
    shares = torch.tensor([0.6, 0.1, 0.3, 0.0, 0.0], dtype=torch.float64)
    total, within = shares_within(shares, [1, 2])
    assert total.item() == pytest.approx(0.4)
    assert within.tolist() == pytest.approx([0.25, 0.75])
    total, within = shares_within(shares, [3, 4])
    assert total == 0
    assert within.tolist() == [0.5, 0.5]
