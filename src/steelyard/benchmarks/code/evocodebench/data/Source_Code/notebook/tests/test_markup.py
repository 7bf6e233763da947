from notebook.markup import headings, inline, render, slug


def test_inline():
    assert inline("a *b c* < d") == "a <b>b c</b> &lt; d"
    assert inline("2 * 3 * 4") == "2 * 3 * 4"


def test_slug():
    assert slug(" Hello, World 2! ") == "hello-world-2"


def test_headings():
    assert headings("# One \ntext\n### Two\n#### no\n#no") == [(1, "One"), (3, "Two")]


def test_render():
    assert render("# A *b*\n\n- x\n  y & z") == '<h1 id="a-b">A <b>b</b></h1>\n<li>x</li>\n<p>y &amp; z</p>'
