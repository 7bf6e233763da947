"""CodeBLEU's match of syntax trees: which sub-trees of the reference occur in the candidate."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tree_sitter import Node


def subtrees(root: Node) -> list[str]:
    """The S-expressions of `root` and of every node below it that has children (arXiv:2009.10297, section 3.2)."""
    stack, found = [root], []
    while stack:
        node = stack.pop()
        found.append(str(node))
        stack.extend(child for child in node.children if child.child_count)
    return found
