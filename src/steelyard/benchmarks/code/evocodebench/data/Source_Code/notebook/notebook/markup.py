"""A small markup: # headings, *strong* words, - lists."""

import html
import re

STRONG = re.compile(r"\*(\S(?:[^*]*\S)?)\*")


def inline(text):
    """Return a line as HTML: escaped, and words between stars inside <b> and </b>."""
    safe = html.escape(text, quote=False)
    return STRONG.sub(r"<b>\1</b>", safe)


def slug(title):
    """Return a name for links: small letters and digits, everything else one hyphen, none at the ends."""
    words = re.findall(r"[a-z0-9]+", title.lower())
    return "-".join(words)


def headings(text):
    """Return (level, title) of each heading: one to three # and a blank before its title."""
    found = []
    for line in text.splitlines():
        match = re.fullmatch(r"(#{1,3}) +(.*\S)\s*", line)
        if match:
            found.append((len(match[1]), match[2]))
    return found


def render(text):
    """Return a note as HTML, a line for each of its lines that is not blank.

    A heading of level n becomes <hn id="slug">title</hn>, a line that begins with "- " a <li>, any other a <p>. Lines are
    made with `inline`, headings named with `slug`.
    """
    out = []
    for line in filter(str.strip, text.splitlines()):
        heading = headings(line)
        if heading:
            level, title = heading[0]
            out.append(f'<h{level} id="{slug(title)}">{inline(title)}</h{level}>')
        elif line.startswith("- "):
            out.append(f"<li>{inline(line[2:])}</li>")
        else:
            out.append(f"<p>{inline(line.strip())}</p>")
    return "\n".join(out)
