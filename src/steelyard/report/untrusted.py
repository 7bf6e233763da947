"""Text and drawings that came from elsewhere (contenders, outputs, errors), made safe to show."""

from __future__ import annotations

import re
import unicodedata
from typing import Any
from xml.etree import ElementTree

from markupsafe import Markup

_HIDDEN = ("Cc", "Cf", "Cs", "Co", "Cn")  # control, format, surrogate, private, unassigned
_TAGS = {"svg", "g", "path", "line", "rect", "text", "tspan", "circle"}
_KEPT = {
    "d", "x", "y", "x1", "x2", "y1", "y2", "dx", "dy", "cx", "cy", "r", "width", "height", "viewBox", "transform", "fill",
    "fill-opacity", "stroke", "stroke-width", "stroke-opacity", "stroke-dasharray", "stroke-linecap", "stroke-linejoin",
    "stroke-miterlimit", "opacity", "text-anchor", "font-size", "font-weight", "font-family",
}  # fmt: skip


def visible(value: Any) -> Any:
    r"""Text with control and direction-changing characters spelled out (\u202e): nothing can hide or reorder words."""
    if not isinstance(value, str) or isinstance(value, Markup):
        return value
    return re.sub(r"[^\n\t -~]", lambda m: m[0] if unicodedata.category(m[0]) not in _HIDDEN else _spelled(m[0]), value)


def _spelled(char: str) -> str:
    return f"\\u{ord(char):04x}" if ord(char) < 0x10000 else f"\\U{ord(char):08x}"


def inline(svg: str, label: str) -> Markup:
    """Only the drawing of an SVG: known tags and attributes, descriptions of marks as tooltips, no links, no styles."""
    root = _drawing(ElementTree.fromstring(svg))
    if root is None:
        return Markup("")
    root.attrib.pop("width", None)
    root.attrib.pop("height", None)
    root.attrib |= {"role": "img", "aria-label": visible(label), "class": "chart"}
    return Markup(ElementTree.tostring(root, encoding="unicode"))  # text and attributes are escaped by the serialiser


def _drawing(node: ElementTree.Element) -> ElementTree.Element | None:
    tag = node.tag.rpartition("}")[2]
    if tag not in _TAGS or node.get("display") == "none":
        return None
    kept = {k: v for k, v in node.attrib.items() if k in _KEPT and not re.search(r"url\s*\(", v)}
    kept.pop("font-family", None)  # the page's own
    out = ElementTree.Element(tag, kept)
    out.text = node.text if tag in ("text", "tspan") else None
    if node.get("role") == "graphics-symbol" and node.get("aria-label"):
        title = ElementTree.SubElement(out, "title")
        title.text = node.get("aria-label")
    out.extend(child for child in map(_drawing, node) if child is not None)
    return out
