"""Sequences that share their beginnings, packed into one."""

from collections.abc import Sequence
from typing import NamedTuple


class PackedTree(NamedTuple):
    """A tree of tokens in depth-first order, each node once.

    Args:
        tokens: the token of each node.
        depths: how many nodes lie before it on its way from the root: its position id.
        ends: for each node the index behind its last descendant; node i sees node j if j ≤ i < ends[j], which are its
            ancestors and itself.
    """

    tokens: list[int]
    depths: list[int]
    ends: list[int]


class TokenTree:
    """A prefix tree of token sequences (our design).

    One forward pass over the packed tree, with a mask by which a token sees its ancestors only and position ids by
    depth, computes what a causal model computes for every sequence alone; what sequences share is computed once.
    """

    def __init__(self) -> None:
        self._tokens: list[int] = []
        self._parents: list[int] = []
        self._children: dict[tuple[int, int], int] = {}

    def add(self, tokens: Sequence[int], after: int = -1) -> list[int]:
        """Add a sequence.

        Args:
            tokens: the tokens.
            after: the node it goes on from; -1 is the root.

        Returns:
            The node of each token, by which `pack` numbers it.
        """
        nodes = []
        for token in tokens:
            node = self._children.get((after, token))
            if node is None:
                node = self._children[after, token] = len(self._tokens)
                self._tokens.append(token)
                self._parents.append(after)
            nodes.append(node)
            after = node
        return nodes

    def pack(self) -> tuple[PackedTree, list[int]]:
        """Bring the nodes into depth-first order, what was added first in front.

        Returns:
            The tree, and each node's index in it.
        """
        children: list[list[int]] = [[] for _ in self._tokens]
        stack: list[int] = []
        for node in range(len(self._tokens) - 1, -1, -1):
            parent = self._parents[node]
            (stack if parent < 0 else children[parent]).append(node)
        index, depths = [0] * len(self._tokens), [0] * len(self._tokens)
        order: list[int] = []
        while stack:
            node = stack.pop()
            index[node] = len(order)
            order.append(node)
            parent = self._parents[node]
            depths[node] = 0 if parent < 0 else depths[parent] + 1
            stack.extend(children[node])
        ends = [0] * len(order)
        for node in reversed(order):
            place = index[node]
            ends[place] = max(ends[place], place + 1)
            parent = self._parents[node]
            if parent >= 0:
                ends[index[parent]] = max(ends[index[parent]], ends[place])
        packed = PackedTree([self._tokens[node] for node in order], [depths[node] for node in order], ends)
        return packed, index
