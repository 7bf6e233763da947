"""The prefixes that requests of a job share: a radix tree over token ids, and which of its nodes to compute once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from steelyard.lab.serving.job import Request


@dataclass(eq=False)
class Node:
    """depth: tokens from the root to here. parent: None of the root. direct: the requests that leave the tree here.

    leaves: how many requests are here and below.
    """

    depth: int
    parent: Node | None
    direct: list[int] = field(default_factory=list)
    children: list[Node] = field(default_factory=list)
    leaves: int = 0

    @property
    def tokens(self) -> int:
        """Length of the edge that leads here."""
        return self.depth - (self.parent.depth if self.parent else 0)


@dataclass
class PrefixTree:
    """The branching part of the radix tree. The last token of a prompt is never shared: its logits are needed.

    root: has depth 0. nodes: all, depth first, parents before their children. prompt_tokens: of all requests together.
    once: tokens that must be computed where every common prefix is computed once, at all levels.
    """

    root: Node
    nodes: list[Node]
    prompt_tokens: int
    once: int

    @property
    def optimum(self) -> float:
        """Token saving ratio of sharing at all levels with room for everything: 1 - once / all prompt tokens."""
        return 1 - self.once / self.prompt_tokens


@dataclass(eq=False)
class Segment:
    """A stretch of tokens [start, end) that several requests have in common and that is computed once.

    parent: the segment that ends where this one starts, None at the start of the prompts. members: request numbers that
    use it.
    """

    start: int
    end: int
    parent: Segment | None
    members: list[int] = field(default_factory=list)


def order_of(sequences: Sequence[NDArray[Any]]) -> list[int]:
    """Numbers of the sequences, sorted by their items: as big-endian bytes, which compare like the numbers themselves."""
    keys = [s.astype(">u4").tobytes() for s in sequences]
    return sorted(range(len(keys)), key=keys.__getitem__)


def common(a: NDArray[Any], b: NDArray[Any]) -> int:
    """Length of the longest common prefix."""
    n = min(len(a), len(b))
    differ = a[:n] != b[:n]
    at = int(differ.argmax()) if n else 0
    return at if n and differ[at] else n


def build_tree(requests: Sequence[Request]) -> PrefixTree:
    """Sort the prompts, then read the tree off the common prefixes of neighbours with one stack.

    Time is that of sorting, memory that of the prompts. An edge that only one request uses has no node.
    """
    keys = [r.prompt[:-1] for r in requests]
    nodes, once = branchings(keys)
    return PrefixTree(nodes[0], nodes, sum(len(r.prompt) for r in requests), once + len(requests))


def branchings(keys: Sequence[NDArray[Any]]) -> tuple[list[Node], int]:
    """The root and every node below which sequences part or end in company, depth first and parents before their
    children; and the length of all edges of their radix tree together.
    """
    order = order_of(keys)
    stack, once, before = [Node(0, None)], 0, 0
    for at, i in enumerate(order):
        after = common(keys[i], keys[order[at + 1]]) if at + 1 < len(order) else 0
        _close(stack, before)
        if max(before, after) > stack[-1].depth:
            stack.append(Node(max(before, after), None))
        stack[-1].direct.append(i)
        once += len(keys[i]) - before
        before = after
    _close(stack, 0)
    nodes = []
    while stack:
        nodes.append(stack.pop())
        stack.extend(reversed(nodes[-1].children))
    for node in reversed(nodes):
        node.leaves = len(node.direct) + sum(c.leaves for c in node.children)
    return nodes, once


def _close(stack: list[Node], depth: int) -> None:
    """Take the nodes below `depth` off the stack, each into its parent; the one at `depth` is then on top."""
    while stack[-1].depth > depth:
        child = stack.pop()
        if stack[-1].depth < depth:
            stack.append(Node(depth, None))
        child.parent = stack[-1]
        stack[-1].children.append(child)


def one_level(tree: PrefixTree) -> list[Segment]:
    """The prefixes to share where every request may use one only: those that save the most tokens, exactly.

    Opening a node computes its whole prefix once, and every request takes its deepest open ancestor. With A the depths
    of a node's proper ancestors (one value for each that may be the deepest open one):

        closed(v) = direct(v) * A + sum of best(c) over children, each less its last entry
        opened(v) = direct(v) * depth(v) - depth(v) + sum of the children's last entries
        best(v)   = max(closed(v), opened(v))

    Time: nodes times the depth of the tree.
    """
    ancestors: dict[Node, np.ndarray] = {tree.root: np.zeros(1)}  # depths of a node's ancestors and its own
    for node in tree.nodes[1:]:
        assert node.parent is not None
        ancestors[node] = np.append(ancestors[node.parent], node.depth)
    below: dict[Node, np.ndarray] = {n: len(n.direct) * ancestors[n] for n in tree.nodes}
    opens: dict[Node, np.ndarray] = {}
    for node in reversed(tree.nodes[1:]):
        assert node.parent is not None
        opened, closed = below[node][-1] - node.depth, below.pop(node)[:-1]
        opens[node] = opened > closed
        below[node.parent] += np.maximum(closed, opened)
    found: list[Segment] = []
    deepest: dict[Node, tuple[int, Segment | None]] = {tree.root: (0, None)}  # place among the ancestors, and segment
    for node in tree.nodes:
        if node.parent is not None:
            place, segment = deepest[node.parent]
            if opens[node][place]:
                place, segment = len(ancestors[node]) - 1, Segment(0, node.depth, None)
                found.append(segment)
            deepest[node] = place, segment
        _join(deepest[node][1], node)
    return [s for s in found if len(s.members) > 1]


def by_rule(tree: PrefixTree) -> list[Segment]:
    """The same by the rule of the paper as it was summarised: bottom-up, a node leaves its parent, taking the parent's
    tokens along, when (leaves - 1) * tokens of it exceeds what the parent's whole prefix costs once more."""
    leaves = {n: len(n.direct) for n in tree.nodes}
    apart: dict[Node, Segment] = {}
    for node in reversed(tree.nodes[1:]):
        parent = node.parent
        assert parent is not None
        if parent is tree.root or (leaves[node] - 1) * node.tokens > parent.depth:
            apart[node] = Segment(0, node.depth, None)
        else:
            leaves[parent] += leaves[node]
    home: dict[Node, Segment | None] = {tree.root: None}
    for node in tree.nodes:
        if node.parent is not None:
            home[node] = apart.get(node, home[node.parent])
        _join(home[node], node)
    return [s for s in apart.values() if len(s.members) > 1]


def all_levels(tree: PrefixTree) -> list[Segment]:
    """Every edge of the tree as a segment of its own: what any request has in common with another is computed once."""
    made: dict[Node, Segment | None] = {tree.root: None}
    for node in tree.nodes[1:]:
        assert node.parent is not None
        made[node] = Segment(node.parent.depth, node.depth, made[node.parent])
    for node in tree.nodes:
        segment = made[node]
        while segment is not None:
            segment.members.extend(node.direct)
            segment = segment.parent
    return [s for s in made.values() if s is not None]


def saved(segments: Sequence[Segment]) -> int:
    """Prompt tokens that need not be computed: each segment once instead of for each of its members."""
    return sum((len(s.members) - 1) * (s.end - s.start) for s in segments)


def _join(segment: Segment | None, node: Node) -> None:
    if segment is not None:
        segment.members.extend(node.direct)
