"""Public checks that every implementation must pass, also a user's own."""

from .balancer import check_balancer
from .merge_operator import check_merge_operator

__all__ = ["check_balancer", "check_merge_operator"]
