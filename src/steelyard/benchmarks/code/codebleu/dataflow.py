"""Which variable's value comes from which: one extractor over syntax trees, driven by the table of each language."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from steelyard.benchmarks.code.static.languages import Language
from steelyard.benchmarks.code.static.trees import text

if TYPE_CHECKING:
    from tree_sitter import Node, Tree

States = dict[str, list[int]]
_DEEPEST = 100_000  # frames of Python, which take no stack of C
COMES, COMPUTED = "comesFrom", "computedFrom"
_IDENTIFIERS = frozenset(
    ("identifier", "simple_identifier", "variable_name", "shorthand_property_identifier",
     "shorthand_property_identifier_pattern")
)  # fmt: skip


class Edge(NamedTuple):
    """`name`, at byte `at`, has its value from `parents` (names), at the bytes `origins`."""

    name: str
    at: int
    relation: str
    parents: list[str]
    origins: list[int]


def dataflow(tree: Tree, language: Language) -> list[Edge]:
    """The edges of a program, in the order of the text, one for each place; places without any relation are left out.

    (GraphCodeBERT, arXiv:2009.08366, section 3; rules of the released extractors for Python and Java)
    """
    return joined(Flow(language).edges(tree.root_node))


def normalised(edges: Sequence[Edge]) -> list[tuple[str, str, tuple[str, ...]]]:
    """The edges with their variables named by first appearance, so that renaming changes nothing."""
    names: dict[str, str] = {}
    for edge in edges:
        for name in (*edge.parents, edge.name):
            names.setdefault(name, f"var_{len(names)}")
    return [(names[e.name], e.relation, tuple(names[p] for p in e.parents)) for e in edges]


def joined(edges: Sequence[Edge]) -> list[Edge]:
    """One edge a place: parents united (in order of appearance), the first relation kept."""
    ordered = sorted(edges, key=lambda edge: edge.at)
    related = {edge.at for edge in ordered if edge.origins} | {o for edge in ordered for o in edge.origins}
    places: dict[int, Edge] = {}
    for edge in ordered:
        if edge.at not in related:
            continue
        old = places.get(edge.at)
        if old is not None:
            edge = old._replace(
                parents=list(dict.fromkeys(old.parents + edge.parents)),
                origins=list(dict.fromkeys(old.origins + edge.origins)),
            )
        places[edge.at] = edge
    return list(places.values())


class Flow:
    """Walks one tree. Subclasses change what a name is and which nodes count (a released scorer's rules)."""

    def __init__(self, language: Language) -> None:
        self.language = language
        self.atoms = language.strings | language.names
        self.split = language.split

    def edges(self, root: Node) -> list[Edge]:
        """All edges below `root`, unjoined. Trees may be thousands of nodes deep (a long sum is)."""
        limit = sys.getrecursionlimit()
        sys.setrecursionlimit(max(limit, _DEEPEST))
        try:
            return self.walk(root, {})
        except RecursionError:
            return []
        finally:
            sys.setrecursionlimit(limit)

    def name(self, node: Node) -> str:
        return text(node)

    def is_atom(self, node: Node) -> bool:
        """Whether a node is one token: a leaf, a string or a composite name."""
        return (not node.child_count or node.type in self.atoms) and node.type not in self.language.comments

    def variables(self, node: Node | None) -> list[Node]:
        """The tokens below `node` that are no punctuation and no keyword."""
        return [] if node is None else [leaf for leaf in self._leaves(node) if leaf.type != self.name(leaf)]

    def _leaves(self, node: Node) -> Iterator[Node]:
        stack = [node]
        while stack:
            top = stack.pop()
            if self.is_atom(top):
                yield top
            else:
                stack.extend(reversed(top.children))

    def walk(self, node: Node, states: States) -> list[Edge]:
        """The edges below `node`. states: variable -> where it last received a value; brought up to date."""
        table, kind = self.language, node.type
        if self.is_atom(node):
            return self._token(node, states)
        if kind in table.declare:
            return self._receive(node, table.declare[kind], COMES, states)
        if kind in table.assign:
            return self._receive(node, table.assign[kind], COMPUTED, states)
        if kind in table.update:
            return self._link(self.variables(node), self.variables(node), COMPUTED, states)
        if kind in table.branch:
            return self._branch(node, states)
        if kind in table.each:
            return self._each(node, table.each[kind], states)
        if kind in table.loop:
            return self._all(node.children * 2, states)
        if kind in table.counted:
            return self._counted(node, states)
        children = node.children
        if table.first:
            children = sorted(children, key=lambda child: child.type not in table.first)
        return self._all(children, states)

    def _all(self, nodes: Sequence[Node], states: States) -> list[Edge]:
        return [edge for node in nodes for edge in self.walk(node, states)]

    def _token(self, node: Node, states: States) -> list[Edge]:
        name, at = self.name(node), node.start_byte
        if node.type == name:
            return []
        if name in states:
            return [Edge(name, at, COMES, [name], list(states[name]))]
        if node.type in _IDENTIFIERS:
            states[name] = [at]
        return [Edge(name, at, COMES, [], [])]

    def _receive(self, node: Node, sides: tuple[str, str], relation: str, states: States) -> list[Edge]:
        """What a declaration or an assignment does: the giver is walked, then each receiver has its value from it."""
        left, right = _side(node, sides[0]), _side(node, sides[1])
        if right is None or right == left:
            return self._bare(left, relation, states)
        pairs = self.pairs(left, right) if self.split and relation == COMPUTED else [(left, right)]
        edges = self._all([giver for _, giver in pairs], states)
        for receiver, giver in pairs:
            edges += self._link(self.variables(receiver), self.variables(giver), relation, states)
        return edges

    def _bare(self, left: Node | None, relation: str, states: States) -> list[Edge]:
        """A declaration without a value begins its names anew; an assignment without one (`x: int`) says nothing."""
        edges = []
        for leaf in self.variables(left) if relation == COMES else ():
            edges.append(Edge(self.name(leaf), leaf.start_byte, COMES, [], []))
            states[self.name(leaf)] = [leaf.start_byte]
        return edges

    def pairs(self, left: Node | None, right: Node) -> list[tuple[Node | None, Node]]:
        """Receivers and givers, one by one where both sides list equally many."""
        receivers, givers = ([c for c in side.children if c.type != ","] if side else [] for side in (left, right))
        if not receivers or len(receivers) != len(givers):
            return [(left, right)]
        return list(zip(receivers, givers, strict=True))

    def _link(self, left: Sequence[Node], right: Sequence[Node], relation: str, states: States) -> list[Edge]:
        edges = []
        for leaf in left:
            name, at = self.name(leaf), leaf.start_byte
            if right or (self.split and relation == COMPUTED):
                edges.append(Edge(name, at, relation, [self.name(r) for r in right], [r.start_byte for r in right]))
            states[name] = [at]
        return edges

    def _branch(self, node: Node, states: States) -> list[Edge]:
        """Each alternative starts from the state before the if; afterwards a variable may come from any of them."""
        before, ends = dict(states), []
        current = states
        edges, has_else, apart = [], False, False
        for child in node.children:
            has_else = has_else or "else" in child.type
            apart = apart or "else" in child.type or "elif" in child.type
            if apart:
                current = dict(before)
                ends.append(current)
            edges += self.walk(child, current)
        for end in ends if has_else else [*ends, before]:
            for name, places in end.items():
                states[name] = sorted({*states.get(name, ()), *places})
        return edges

    def _each(self, node: Node, sides: tuple[str, str], states: States) -> list[Edge]:
        """A loop over a collection: its variable has its value from the collection; all of it runs twice."""
        left, right = _side(node, sides[0]), _side(node, sides[1])
        if left is None or right is None:
            return self._all(node.children, states)
        body = [child for child in node.children if child.start_byte >= max(left.end_byte, right.end_byte)]
        edges = []
        for _ in range(2):
            pairs = self.pairs(left, right) if self.split else [(left, right)]
            edges += self._all([giver for _, giver in pairs], states)
            for receiver, giver in pairs:
                edges += self._link(self.variables(receiver), self.variables(giver), COMPUTED, states)
            edges += self._all(body, states)
        return edges

    def _counted(self, node: Node, states: States) -> list[Edge]:
        """A for loop with an initialiser: what follows the initialiser runs twice."""
        start = next((i for i, child in enumerate(node.children) if "declaration" in child.type), len(node.children))
        return self._all([*node.children, *node.children[start + 1 :]], states)


def _side(node: Node, where: str) -> Node | None:
    """A field of a node, or the named child of that number; none for `-`."""
    if where == "-":
        return None
    if where.lstrip("-").isdigit():
        named = node.named_children
        at = int(where)
        return named[at] if -len(named) <= at < len(named) else None
    return node.child_by_field_name(where)
