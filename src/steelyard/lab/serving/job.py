"""A job: requests that are all known before the first one starts, and the limits of the machine that serves them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from steelyard.core.errors import InputError

Tokens = NDArray[np.int32]
FIELDS = "Each line needs: id, prompt_tokens (or prompt), max_new; it may have expected_new, new, document."


@dataclass(frozen=True, eq=False)
class Request:
    """One request.

    prompt: (n,) token ids, n >= 1. max_new: the most tokens it may generate. expected: an estimate of how many it will.
    new: how many it does generate; the machine knows it, a scheduler must not look (unless it says that it is an oracle).
    """

    id: str
    prompt: Tokens
    max_new: int
    expected: float
    new: int

    @property
    def length(self) -> int:
        """Tokens at its end."""
        return len(self.prompt) + self.new


@dataclass(frozen=True)
class Limits:
    """blocks: of the paged cache, `block` tokens each. tokens: the most of one step. requests: the most that run at a
    time, for schedulers that count requests."""

    blocks: int
    block: int = 16
    tokens: int = 2048
    requests: int = 256

    def __post_init__(self) -> None:
        if min(self.blocks, self.block, self.tokens, self.requests) < 1:
            raise InputError(f"a machine with {self}.", "Every limit must be at least 1.")

    def blocks_of(self, tokens: float) -> int:
        """Blocks that so many tokens fill or begin."""
        return -int(-tokens // self.block)


@dataclass(frozen=True)
class Job:
    """Requests in their order of arrival (all at time 0), and the limits under which they are served.

    rejected: id -> why a request is not served: its keys and values would never fit.
    """

    requests: tuple[Request, ...]
    limits: Limits
    rejected: dict[str, str]


def job_of(requests: Iterable[Request], limits: Limits) -> Job:
    """Keep the requests that fit into the cache, name the others. Raises InputError where none is left or ids repeat."""
    kept, rejected, seen = [], {}, set()
    for r in requests:
        if r.id in seen:
            raise InputError(f"request {r.id!r} stands twice.", "Every request needs an id of its own.")
        seen.add(r.id)
        # a shared prefix may end within a block, and then the request's own tokens begin another one
        if (needed := limits.blocks_of(len(r.prompt) + r.max_new) + 1) > limits.blocks:
            rejected[r.id] = f"needs {needed} blocks of the cache, which has {limits.blocks}"
        else:
            kept.append(r)
    if not kept:
        why = next(iter(rejected.items()), ("", "there is none"))
        raise InputError(f"no request can be served ({' '.join(why).strip()}).", "Give the cache more blocks.")
    return Job(tuple(kept), limits, rejected)


def request(
    id: str, prompt: Sequence[int] | Tokens, max_new: int, expected: float | None = None, new: int | None = None
) -> Request:
    """A request, checked. Raises InputError for an empty prompt, odd tokens, or lengths that contradict each other."""
    tokens = np.asarray(prompt)
    if tokens.ndim != 1 or tokens.size == 0:
        raise InputError(f"request {id!r} has an empty prompt.", "A model needs at least one token to go on from.")
    if tokens.dtype.kind not in "iu" or tokens.min() < 0 or tokens.max() > np.iinfo(np.int32).max:
        raise InputError(f"request {id!r}: its prompt is no list of token ids.", "Token ids are integers from 0 on.")
    new = max_new if new is None else new
    if not 0 <= new <= max_new:
        raise InputError(f"request {id!r}: new={new}, max_new={max_new}.", "0 <= new <= max_new.")
    expected = float(max_new) if expected is None else float(expected)
    if not 0 <= expected <= max_new:
        raise InputError(f"request {id!r}: expected_new={expected:g}, max_new={max_new}.", "It lies from 0 to max_new.")
    return Request(id, np.ascontiguousarray(tokens, np.int32), max_new, expected, new)


def read_requests(path: Path, encode: Callable[[str], Sequence[int]]) -> Iterator[Request]:
    """The requests of a JSON-lines file. encode: text to token ids, for lines with `prompt`.

    Raises InputError naming file, line and field.
    """
    with path.open(encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            try:
                yield _from_row(json.loads(line), encode)
            except (InputError, KeyError, TypeError, ValueError) as error:
                what = (
                    error.what if isinstance(error, InputError) else f"field {error} is missing or of the wrong kind."
                )
                raise InputError(f"{path}, line {number}: {what}", FIELDS) from error


def _from_row(row: Any, encode: Callable[[str], Sequence[int]]) -> Request:
    prompt = row["prompt_tokens"] if "prompt_tokens" in row or "prompt" not in row else encode(row["prompt"])
    if any(isinstance(t, bool) or not isinstance(t, int) for t in prompt):
        raise InputError(f"request {row['id']!r}: its prompt is no list of token ids.", "Token ids are integers.")
    return request(str(row["id"]), prompt, int(row["max_new"]), row.get("expected_new"), row.get("new"))
