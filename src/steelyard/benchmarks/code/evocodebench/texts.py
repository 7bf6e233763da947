"""The texts of a built slice: a requirement out of a docstring or from a model, and a model's label of the domain."""

from __future__ import annotations

import re

from steelyard.benchmarks.code.evocodebench.domains import DOMAINS

_SECTION = re.compile(
    r"^\s*(?::(?:param|type|return|returns|rtype|raises)\b|@param\b|(?:Args|Arguments|Parameters|Returns?|Yields?|Raises)\s*:?\s*$)",
    re.MULTILINE,
)


def requirement_of(docstring: str) -> dict[str, str]:
    """Functionality: the docstring up to its first section on parameters or results; Arguments: from there on."""
    found = _SECTION.search(docstring)
    at = found.start() if found else len(docstring)
    return {"Functionality": docstring[:at].strip(), "Arguments": docstring[at:].strip()}


def writing_question(signature: str, body: str) -> str:
    """What a model is asked so that it writes a requirement."""
    return (
        "Describe this Python function for a programmer who will write it without having seen it. Say what it does, not how, "
        "in at most three sentences after the word Functionality:, then list its parameters and its result, one a line, after "
        f"the word Arguments:.\n```python\n{signature}{body}```"
    )


def requirement_in(answer: str) -> dict[str, str]:
    """The two parts of a model's answer; an answer without the second is all Functionality."""
    before, _, after = answer.replace("**", "").partition("Arguments:")
    return {
        "Functionality": before.partition("Functionality:")[2].strip() or before.strip(),
        "Arguments": after.strip(),
    }


def label_question(summary: str, code: str) -> str:
    """What a model is asked so that it names a domain."""
    return (
        f"A Python project: {summary}\nOne of its functions:\n```python\n{code}```\n"
        f"Which of these programming domains does the function belong to? {'; '.join(DOMAINS)}.\nAnswer with the domain alone."
    )


def label_in(answer: str) -> str:
    """The first domain that an answer names, "" for none."""
    places = {domain: answer.lower().find(domain.lower()) for domain in DOMAINS}
    named = {domain: at for domain, at in places.items() if at >= 0}
    return min(named, key=lambda d: named[d]) if named else ""
