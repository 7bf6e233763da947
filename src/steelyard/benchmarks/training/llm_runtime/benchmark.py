"""Runtime of language models: whole steps of training and inference, taken apart by module, with what limits them."""

from __future__ import annotations

import json
import math
import os
from dataclasses import replace
from typing import Any

from steelyard.benchmarks.training.llm_runtime.cases import PHASES, SIZES, Part, given, parts
from steelyard.benchmarks.training.llm_runtime.metrics import largest, of_module, of_step, table
from steelyard.core.errors import InputError, MissingError, SteelyardError
from steelyard.core.interfaces import Outcome
from steelyard.core.words import Case, Status
from steelyard.lab.runtime.figures import Figures
from steelyard.lab.runtime.nursery import DiedError, call
from steelyard.lab.runtime.roof import LIMITS, bottleneck
from steelyard.lab.runtime.traces import figures
from steelyard.lab.runtime.work import Work

CONTENDERS = {
    "train": [
        "pytorch", "pytorch[attention=sdpa]", "pytorch[recompute=layer]", "pytorch[optimiser=fused]", "pytorch[tune=lora]",
        "pytorch[tune=lora,weights=nf4]", "pytorch[sharding=ddp]", "pytorch[sharding=zero2]",
    ],
    "infer": ["pytorch", "pytorch[attention=sdpa]", "pytorch[attention=sdpa,weights=int8]"],
    "serve": ["pytorch", "pytorch[weights=int8]"],
    "operators": ["pytorch"],
    "batch": ["pytorch", "pytorch[attention=sdpa]", "pytorch[recompute=layer]", "pytorch[tune=lora,weights=nf4]", "pytorch[sharding=zero2]"],
}  # fmt: skip
MOST_ROWS = 64  # of the search for the largest batch
MEASURE, REFERENCE = (f"steelyard.lab.runtime.measuring:{name}" for name in ("measure", "reference_loss"))


class LLMRuntime:
    """phase: train (pre-training and fine-tuning), infer (prefill and decoding), serve (requests), operators, or batch
    (the largest that fits). model: tiny, small, random-135m, random-1b (random weights) or whatever the lab opens. sizes:
    default or full. seconds: of timed steps in each round. memory: MiB of address space that a process may add, 0 for no
    limit; room: the same where the largest batch is sought. slo_first, slo_token: seconds within which a good reply has
    its first token, and each further one. timeout: seconds that a round may take. max_load: no round begins while the
    machine's load average is above it; 0 for no limit.
    """

    def __init__(
        self, phase: str = "train", model: str = "tiny", sizes: str = "default", seconds: float = 0.5, memory: int = 0,
        room: int = 256, max_load: float = 0.0, timeout: float = 120.0, slo_first: float = 1.0,
        slo_token: float = 0.1, seed: int = 0,
    ) -> None:  # fmt: skip
        if phase not in PHASES or sizes not in SIZES:
            raise InputError(f"llm-runtime: phase is {phase!r}, sizes is {sizes!r}.", f"phase may be {' or '.join(PHASES)}, sizes {' or '.join(SIZES)}.")  # fmt: skip
        if seconds <= 0 or timeout <= 0 or min(memory, room, max_load) < 0:
            raise InputError("llm-runtime: seconds, timeout, memory, room and max_load are not negative.", "seconds=0.5, timeout=120")  # fmt: skip
        self.phase, self.model, self.sizes, self.seed = phase, str(model), sizes, seed
        self.seconds, self.memory, self.room, self.max_load, self.timeout = seconds, memory, room, max_load, timeout
        self.slo = (slo_first, slo_token)
        self._found: dict[tuple[str, Work, int], list[Figures] | DiedError] = {}
        self._reference: dict[Work, float] = {}

    def cases(self, data: str | None) -> list[Case]:
        """Whole steps, their parts, and the largest batch; of phase serve, `data` may be a trace."""
        if data is not None and self.phase != "serve":
            raise InputError(
                f"llm-runtime has no data to read ({data}).", "llm-runtime[phase=serve] takes a trace of requests."
            )
        if data is not None:
            return [part.case() for part in given(data, self.model, self.seed, self.timeout / 2)]
        return [part.case() for part in parts(self.phase, self.model, self.sizes, self.seed, self.timeout / 2)]

    def contenders_in(self, data: str | None) -> list[str]:
        """Who is weighed when nobody is named."""
        return CONTENDERS[self.phase]

    def warm(self, contender: Any, case: Case) -> None:
        """Nothing: each round warms up in a process of its own."""

    def measure(self, contender: Any, case: Case, trial: int) -> Outcome:
        """Of one round; a step and its parts come from the same processes. See the card for the metrics."""
        part: Part = case.payload
        try:
            if part.level == "batch":
                return Outcome(self._largest(contender, part.work))
            ranks = self._figures(contender, part.work, trial)
        except MissingError:
            raise
        except SteelyardError as error:
            return Outcome({}, Status.FAILED, str(error))
        except DiedError as error:
            return Outcome({}, error.status, str(error), {"log": error.log} if error.log else {})
        if part.level == "module":
            return Outcome(of_module(ranks[0], part.kind, part.direction))
        if part.work.trace is not None:
            return self._of_trace(ranks[0])
        kept = {"modules": table(ranks[0])} if ranks[0].modules else {}
        return Outcome(self._of_step(ranks, part.work), artifacts=kept)

    def _figures(self, contender: Any, work: Work, trial: int) -> list[Figures]:
        """One round of the work, taken once; a failure is kept like a number."""
        key = (repr(contender), work, trial)
        if key not in self._found:
            if self.max_load and (load := os.getloadavg()[0]) > self.max_load:
                raise DiedError(Status.FAILED, f"load average {load:.1f} is above max_load={self.max_load:g}")
            try:
                self._found[key] = call(
                    MEASURE, contender, work, self.seconds, True, ranks=max(_ranks(contender), work.processes),
                    threads=getattr(contender, "threads", 1), memory=self.memory << 20 or None, timeout_s=self.timeout,
                )  # fmt: skip
            except DiedError as error:
                self._found[key] = error
        found = self._found[key]
        if isinstance(found, DiedError):
            raise found
        return found

    def _of_step(self, ranks: list[Figures], work: Work) -> dict[str, float]:
        found = of_step(ranks)
        if work.trains:
            if work not in self._reference:
                self._reference[work] = call(REFERENCE, work, timeout_s=self.timeout)[0]
            found["loss_deviation"] = abs(found["first_loss"] / self._reference[work] - 1)
        return {k: v for k, v in found.items() if not math.isnan(v)} | {"load_average": os.getloadavg()[0]}

    def _of_trace(self, found: Figures) -> Outcome:
        metrics = {"step_time": found.step_s[0], "peak_bytes": found.bytes["peak"], "load_average": os.getloadavg()[0]}
        metrics |= figures(found.replies, *self.slo)
        rows = ({k: None if v != v else v for k, v in vars(reply).items()} for reply in found.replies)
        kept = {"replies": "\n".join(json.dumps(row) for row in rows)}
        if not metrics["completed_share"]:
            why = "no request was answered in time"
            return Outcome({**metrics, "step_time": math.nan}, Status.TIMEOUT, why, kept)
        return Outcome(metrics, artifacts=kept)

    def _largest(self, contender: Any, work: Work) -> dict[str, float]:
        """Rows of the largest batch whose step ends within `room`, and its time: doubled until one does not, then halved between.

        0 where not even the smallest fits. Raises DiedError for other failures than a lack of memory.
        """
        unit = _ranks(contender) * getattr(contender, "accumulate", 1)
        times: dict[int, float] = {}

        def fits(units: int) -> bool:
            try:
                found = call(
                    MEASURE, contender, replace(work, batch=units * unit), 1e-9, False, ranks=_ranks(contender),
                    threads=getattr(contender, "threads", 1), memory=self.room << 20, timeout_s=self.timeout,
                )  # fmt: skip
            except DiedError as error:
                if "out of memory" not in str(error):
                    raise
                return False
            times[units] = found[0].step_s[0]
            return True

        most = largest(fits, MOST_ROWS // unit)
        return {"largest_batch": unit * most} | ({"step_time": times[most]} if most else {})

    def summary(self, values: Any) -> list[dict[str, Any]]:
        """What limits each piece of work, with the figures that say so: shares of the step, utilisation, memory."""
        rows = []
        columns = {name: values(name) for name in (*(f"{limit}_share" for limit in LIMITS), "step_time", "mfu", "peak_bytes", "tokens_per_s")}  # fmt: skip
        for case in columns["step_time"]:
            shares = {limit: columns[f"{limit}_share"][case] for limit in LIMITS if case in columns[f"{limit}_share"]}
            if not shares:
                continue
            rows.append(
                {"work": case.partition("/")[0], "bottleneck": bottleneck(shares), **{k: f"{v:.0%}" for k, v in shares.items()},
                 "of peak FLOP/s": f"{columns['mfu'][case]:.0%}", "tokens/s": columns["tokens_per_s"][case], "peak MiB": columns["peak_bytes"][case] / 2**20}
            )  # fmt: skip
        return rows


def _ranks(contender: Any) -> int:
    return int(getattr(contender, "ranks", 1))
