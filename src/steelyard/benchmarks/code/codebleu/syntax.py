"""CodeBLEU's match of syntax trees: which sub-trees of the reference occur in the candidate."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tree_sitter import Node

Fielded = tuple[str | None, int]


def subtrees(root: Node) -> list[int]:
    """A fingerprint for `root` and for every node below it that has children (arXiv:2009.10297, section 3.2).

    Two are equal where the S-expressions are: the types of the named nodes and the fields they stand in. They are hashes
    made from the leaves upwards, for the texts grow with the square of the depth, and hold for one process.
    """
    cursor, found = root.walk(), []
    path: list[tuple[Node, str | None, list[Fielded]]] = [(root, None, [])]  # node, its field, its named children
    down = True
    while True:
        if down and cursor.goto_first_child():
            path.append((cursor.node, cursor.field_name, []))
            continue
        node, field, below = path.pop()
        fingerprint = hash((node.type, node.is_missing, tuple(below)))
        if node.child_count or not path:
            found.append(fingerprint)
        if not path:
            return found
        if node.is_named or node.is_missing:
            path[-1][2].append((field, fingerprint))
        down = cursor.goto_next_sibling()
        if down:
            path.append((cursor.node, cursor.field_name, []))
        else:
            cursor.goto_parent()
