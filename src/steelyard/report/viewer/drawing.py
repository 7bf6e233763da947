"""Drawings as files of their own: the page's colours written out, for papers and slides."""

from __future__ import annotations

import re
from functools import cache

from steelyard.report.html import TEMPLATES


def standalone(svg: str) -> str:
    """An inline SVG of a page as a whole file in the light colours, on white."""
    made = re.sub(r"var\((--[a-z0-9]+)\)", lambda m: _colours().get(m[1], "#333"), svg)
    box = re.search(r'viewBox="([-\d. ]+)"', made)
    x, y, width, height = box[1].split() if box else ("0", "0", "100", "100")
    head = f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" font-family="sans-serif" '
    back = f'<rect x="{x}" y="{y}" width="{width}" height="{height}" fill="#ffffff"/>'
    made = made.replace("<svg ", head, 1)
    return made.replace(">", f">{back}", 1)


@cache
def _colours() -> dict[str, str]:
    light = (TEMPLATES / "style.css").read_text(encoding="utf-8").partition("@media")[0]
    return dict(re.findall(r"(--[a-z0-9]+): (#[0-9a-f]{6})", light))
