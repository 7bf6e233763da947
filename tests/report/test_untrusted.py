"""Text and drawings from elsewhere."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from markupsafe import Markup

from steelyard.core.words import Metric
from steelyard.report.charts import Axis, Point, lines
from steelyard.report.untrusted import inline, visible


def test_hidden_characters_are_spelled_out() -> None:
    assert visible("a\u202eb\x00c\u200b") == "a\\u202eb\\u0000c\\u200b"
    assert visible("naïve 模型\n\tx") == "naïve 模型\n\tx"
    assert visible("\U000e0041") == "\\U000e0041"
    assert visible(3) == 3


def test_a_drawing_keeps_no_script_link_style_or_image() -> None:
    svg = """<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" viewBox="0 0 1 1" onload="x()">
      <script>x()</script><style>*{}</style><image href="http://a/b.png"/><a xlink:href="javascript:x()"><path d="M0 0"/></a>
      <foreignObject><b>x</b></foreignObject><use href="#a"/>
      <rect width="1" height="1" fill="url(http://a/b)" style="x" onclick="x()"/><text>a &lt;b&gt;</text></svg>"""
    made = str(inline(svg, 'a "chart"'))
    assert made == (
        '<svg viewBox="0 0 1 1" role="img" aria-label="a &quot;chart&quot;" class="chart">'
        '<rect width="1" height="1" /><text>a &lt;b&gt;</text></svg>'
    )


@given(st.text())
def test_any_name_can_stand_in_a_label(name: str) -> None:
    made = str(inline('<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1 1"/>', name))
    assert made.count("<") == 1
    assert made.endswith('class="chart" />')


def test_a_chart_is_drawn_twice_and_tells_each_point() -> None:
    says = "a<script>\x07 at 1: 2"
    points = [
        Point(0, 1.0, 2.0, 1.0, 3.0, says, ("a",)),
        Point(0, 10.0, 4.0, float("-inf"), float("inf"), "last", ("a",)),
    ]
    axis = Axis("x", Metric("x"), log=True)
    drawn = lines(points, axis, Axis("y", Metric("y")), "a label")
    assert set(drawn) == {"wide", "narrow"}
    for svg in drawn.values():
        assert isinstance(svg, Markup)
        assert "<title>a&lt;script&gt;\\u0007 at 1: 2</title>" in svg
        assert "<title>last</title>" in svg
        assert "NaN" not in svg
        assert "http" not in svg
