"""Public checks that every implementation must pass, also a user's own."""

from .balancer import check_balancer

__all__ = ["check_balancer"]
