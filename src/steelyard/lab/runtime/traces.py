"""Requests that arrive while others are served: traces, made or read, and what is known of each request afterwards."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from steelyard.core.errors import InputError
from steelyard.core.words import Status

FIRST_TOKEN, LAST_TOKEN = 3, 1000  # random prompts are of tokens that every model knows and none of which ends a text
FIELDS = "Each line needs: t (s), prompt_tokens (how many, or a list of ids), max_new."


@dataclass(frozen=True)
class Request:
    """due: when it is to be sent (s after the start), of no meaning in a closed loop. new: tokens to generate."""

    id: str
    due: float
    prompt: tuple[int, ...]
    new: int


@dataclass(frozen=True)
class Trace:
    """requests: in the order they are sent. clients: each sends its next request when the last is answered (a closed loop);
    0 for an open loop, where requests are sent when they are due, whatever the server does."""

    requests: tuple[Request, ...]
    clients: int = 0

    def head(self, count: int) -> Trace:
        """The first few, all at once: to warm up with."""
        return Trace(tuple(replace(r, due=0.0, new=min(r.new, 2)) for r in self.requests[:count]))


@dataclass(frozen=True)
class Reply:
    """due: when it was to be sent: its latency counts from there, so that a server that is late cannot hide it.

    first, last: when its first and last token were there (s after the start; NaN for none). new: tokens it got.
    """

    id: str
    due: float
    first: float
    last: float
    new: int
    status: Status = Status.OK


def reply(request: Request, due: float, first: float | None, last: float | None) -> Reply:
    """The reply to a request, `timeout` where its last token never came."""
    if first is None or last is None:
        return Reply(request.id, due, first or math.nan, math.nan, 0, Status.TIMEOUT)
    return Reply(request.id, due, first, last, request.new)


def closed(clients: int, count: int, prompt: int, new: int, seed: int) -> Trace:
    """`count` requests of `clients` clients."""
    return Trace(tuple(_made(k, 0.0, prompt, new, seed) for k in range(count)), clients)


def poisson(rate: float, count: int, prompt: int, new: int, seed: int) -> Trace:
    """`count` requests with exponential gaps, `rate` of them a second on average."""
    gaps = np.random.default_rng([seed, 1]).exponential(1 / rate, count)
    due = np.cumsum(gaps) - gaps[0]
    return Trace(tuple(_made(k, float(due[k]), prompt, new, seed) for k in range(count)))


def _made(number: int, due: float, prompt: int, new: int, seed: int) -> Request:
    ids = np.random.default_rng([seed, 2, number]).integers(FIRST_TOKEN, LAST_TOKEN, prompt)
    return Request(f"r{number}", due, tuple(ids.tolist()), new)


def read(path: Path, seed: int = 0) -> Trace:
    """The trace of a JSON-lines file, an open loop. Raises InputError naming file and line."""
    requests = []
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read ({error}).", FIELDS) from error
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            requests.append(_from_row(json.loads(line), number, seed))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise InputError(f"{path}, line {number}: {error!r}.", FIELDS) from error
    if not requests:
        raise InputError(f"{path} holds no request.", FIELDS)
    return Trace(tuple(sorted(requests, key=lambda r: r.due)))


def _from_row(row: dict[str, Any], number: int, seed: int) -> Request:
    prompt, due, new = row["prompt_tokens"], float(row["t"]), int(row["max_new"])
    name = str(row.get("id", f"line-{number}"))
    size = len(prompt) if isinstance(prompt, list) else int(prompt)
    if size < 1 or new < 1 or not due >= 0:
        raise ValueError("t must not be negative, prompt_tokens and max_new at least 1")
    if isinstance(prompt, list):
        return Request(name, due, tuple(int(p) for p in prompt), new)
    return replace(_made(number, due, size, new, seed), id=name)


def figures(replies: Sequence[Reply], slo_first_s: float, slo_token_s: float) -> dict[str, float]:
    """Metric name -> value. A reply is good when its first token came within slo_first_s and each further one took
    slo_token_s at most on average; one without an answer is not.

    tpot: (latency - time to first token) / (tokens - 1), of replies with two tokens or more.
    """
    done = [r for r in replies if r.status is Status.OK]
    end = max((r.last for r in done), default=0.0)
    found = {
        "completed_share": len(done) / len(replies), "tokens_per_s": sum(r.new for r in done) / end if end else 0.0,
        "requests_per_s": len(done) / end if end else 0.0,
    }  # fmt: skip
    if not done:
        return {**found, "goodput": 0.0}
    first = np.array([r.first - r.due for r in done])
    latency = np.array([r.last - r.due for r in done])
    tokens = np.array([(r.last - r.first) / (r.new - 1) if r.new > 1 else 0.0 for r in done])
    good = (first <= slo_first_s) & (tokens <= slo_token_s)
    found |= {"goodput": float(good.sum()) / len(replies), "ttft_mean": float(first.mean())}
    for name, values in (("ttft", first), ("latency", latency)):
        found |= {f"{name}_p{q}": float(np.quantile(values, q / 100)) for q in (50, 90, 99)}
    if (several := tokens[[r.new > 1 for r in done]]).size:
        found["tpot_p50"] = float(np.median(several))
    return found
