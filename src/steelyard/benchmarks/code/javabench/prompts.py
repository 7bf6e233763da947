"""The messages of JavaBench: a whole class, or one of its methods."""

from __future__ import annotations

from steelyard.core.interfaces import Message

_SYSTEM = "You are an experienced Java programmer who completes classes of a project."


def whole(code: str, context: str) -> list[Message]:
    """Complete a class. code, context: as in the data, in fences."""
    related = f" These are other sources of the project:\n\n{context.strip()}" if context.strip() else ""
    return [
        Message("system", f"{_SYSTEM}{related}"),
        Message("user", f"Complete the following code. Give the complete class in a ```java block.\n\n{code.strip()}"),
    ]


def one_method(code: str, context: str, method: str) -> list[Message]:
    """Complete one method of a class, all of which is to be given again."""
    system, _ = whole(code, context)
    task = f"Complete the method {method} of the following code. Give the complete class in a ```java block."
    return [system, Message("user", f"{task}\n\n```java\n{code.strip()}\n```")]
