from hypothesis import given
from hypothesis import strategies as st

from equipoise.data.trees import TokenTree

SEQUENCES = st.lists(st.lists(st.integers(0, 2), min_size=1, max_size=6), min_size=1, max_size=8)


def seen_by(packed, place):
    """The places a node sees: its ancestors and itself."""
    return [other for other in range(place + 1) if place < packed.ends[other]]


@given(SEQUENCES)
def test_a_node_sees_its_own_sequence_and_nothing_else(sequences):
    tree = TokenTree()
    nodes = [tree.add(sequence) for sequence in sequences]
    packed, index = tree.pack()
    prefixes = {tuple(sequence[: length + 1]) for sequence in sequences for length in range(len(sequence))}
    assert len(packed.tokens) == len(packed.depths) == len(packed.ends) == len(prefixes)
    for sequence, own in zip(sequences, nodes, strict=True):
        for length, node in enumerate(own):
            path = seen_by(packed, index[node])
            assert [packed.tokens[place] for place in path] == sequence[: length + 1]
            assert [packed.depths[place] for place in path] == list(range(length + 1))


@given(SEQUENCES)
def test_what_is_added_first_stands_in_front(sequences):
    tree = TokenTree()
    nodes = [tree.add(sequence) for sequence in sequences]
    packed, index = tree.pack()
    assert packed.tokens[: len(sequences[0])] == sequences[0]
    assert [index[node] for node in nodes[0]] == list(range(len(sequences[0])))


def test_a_sequence_goes_on_from_a_node():
    tree = TokenTree()
    last = tree.add([5, 6])[-1]
    assert tree.add([7, 8], after=last) == [2, 3]
    assert tree.add([7, 9], after=last) == [2, 4]
    packed, index = tree.pack()
    assert packed == ([5, 6, 7, 8, 9], [0, 1, 2, 3, 3], [5, 5, 5, 4, 5])
    assert index == [0, 1, 2, 3, 4]


def test_an_empty_tree():
    assert TokenTree().pack() == (([], [], []), [])
