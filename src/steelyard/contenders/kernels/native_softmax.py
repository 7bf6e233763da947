"""What the project's own softmax kernels share: their options, how they are called, and errors for people."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from types import ModuleType
from typing import Any, ClassVar, Literal

import numpy as np

from steelyard.contenders.kernels.tuning import ROWS, apply_stored
from steelyard.core.errors import InputError, MissingError

Pass = tuple[str, Callable[[np.ndarray, np.ndarray], None], int, int]


def native() -> ModuleType:
    """The compiled kernels, with this CPU's tuned choices. Raises MissingError where they were not built."""
    try:
        from steelyard import _native
    except ImportError as error:
        raise MissingError(
            f"the compiled kernels are not here ({error}).",
            "Install a C++20 compiler, then `pip install -e .` in the checkout builds them.",
        ) from error
    apply_stored(_native)
    return _native


@dataclass(frozen=True)
class NativeSoftmax:
    """A softmax over the last axis of float32 rows, from the compiled kernels.

    isa: instruction set; `auto` takes the widest that runs here, `scalar` is portable C++ in double.
    stores: `streaming` writes past the caches, which saves reading each line of the output before it is written.
    threads: at most so many; the result does not depend on it.
    profile: `sound` treats NaN, infinities and magnitudes above 2^17 / log2(e) as softmax should; `published` is the
        algorithm as released.
    subnormals: `flush` sets FTZ and DAZ during the call (as the official benchmark does), `keep` leaves them alone.
    """

    isa: Literal["auto", "scalar", "avx2", "avx512"] = "auto"
    stores: Literal["normal", "streaming"] = "normal"
    threads: int = 1
    profile: Literal["sound", "published"] = "sound"
    subnormals: Literal["flush", "keep"] = "flush"

    algorithm: ClassVar[str]
    streams: ClassVar[tuple[int, int]]
    pass_facts: ClassVar[tuple[tuple[str, int, int], ...]]

    @property
    def depends_on(self) -> tuple[Any, ...]:
        """What its numbers come from beside this code: the compiled module, and the tuned choices of its own passes.

        The module is taken as the file it is: the same sources and compiler give the same bytes, so a mere rebuild
        measures nothing again, and another compiler does.
        """
        try:
            kernels = native()
        except MissingError:
            return ()
        isa = kernels.best_isa() if self.isa == "auto" else self.isa
        choices = [
            (name, regime, kernels.candidates(name, isa)[index], ahead)
            for name, *_ in self.pass_facts
            for regime in ROWS
            for index, ahead in [kernels.choice(name, isa, regime, self.stores)]
            if not kernels.isas()[isa]
        ]
        return kernels, repr(choices)

    def supported(self) -> str:
        """Why this cannot run here, or an empty string."""
        return "" if self.isa == "auto" else native().isas()[self.isa]

    def __call__(self, x: np.ndarray, out: np.ndarray) -> None:
        """Write softmax(x) into out; both float32 (N,) or (B, N) with a contiguous last axis; x may be out.

        Raises InputError naming dtype and shape, MissingError where the instruction set is not there.
        """
        try:
            self._kernel(x, out)
        except (TypeError, ValueError) as error:
            raise _explain(x, out) from error

    def passes(self) -> list[Pass]:
        """(name, call, rows read, rows written) of each pass, to be timed alone.

        The constants are those of an input below 1000; no pass's time depends on them.
        """
        return [(name, self._pass(name), reads, writes) for name, reads, writes in self.pass_facts]

    @cached_property
    def _kernel(self) -> Callable[[np.ndarray, np.ndarray], None]:
        if reason := self.supported():
            raise MissingError(f"{self.algorithm}: {reason}.", "Use isa=auto, or a machine that has it.")
        if self.threads < 1:
            raise InputError(f"{self.algorithm}: threads is {self.threads}.", "It must be at least 1.")
        return native().Softmax(
            self.algorithm, self.isa, self.stores, self.threads, self.profile == "sound", self.subnormals == "flush"
        )

    def _pass(self, name: str) -> Callable[[np.ndarray, np.ndarray], None]:
        run, isa, stores, sound = native().run_pass, self.isa, self.stores, self.profile == "sound"
        shift = 1443.0 if name == "extended_write" else 1000.0  # an exponent of two, or a maximum

        def call(x: np.ndarray, out: np.ndarray) -> None:
            run(name, x, out, None, isa, stores, sound, shift, 0.5)

        return call


def _explain(x: Any, out: Any) -> InputError:
    """What is wrong with a pair of arrays that the kernel refused."""
    for label, array in (("x", x), ("out", out)):
        if not isinstance(array, np.ndarray):
            return InputError(f"{label} is a {type(array).__name__}.", "Give a NumPy array of float32.")
        what = f"{label} has dtype {array.dtype} and shape {array.shape}"
        if array.dtype != np.float32:
            return InputError(f"{what}.", "These kernels compute in float32: convert it with .astype(np.float32).")
        if array.ndim not in (1, 2):
            return InputError(f"{what}.", "One row (N,) or rows (B, N) are needed; reshape it.")
        if array.shape[-1] > 1 and array.strides[-1] != array.itemsize:
            return InputError(
                f"{what}, and its last axis is not contiguous (strides {array.strides}).",
                "Use numpy.ascontiguousarray.",
            )
        if not array.flags.aligned:
            return InputError(f"{what}, and its data do not lie on 4-byte boundaries.", "Copy it with numpy.array.")
    if not out.flags.writeable:
        return InputError(f"out (shape {out.shape}) is read-only.", "Give an array that may be written.")
    return InputError(f"x has shape {x.shape}, out has shape {out.shape}.", "Both must have the same shape.")
