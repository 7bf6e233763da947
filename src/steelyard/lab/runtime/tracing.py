"""Where a step spends what it spends: any growing counter (time, FLOPs, saved bytes) split by kind of module and direction."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from statistics import median
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from steelyard.lab.runtime.figures import Costs

Key = tuple[str, str]  # kind of module, direction
ROLES = {"self_attn": "attention", "mlp": "mlp", "lm_head": "head", "rotary_emb": "rotary"}
OUTSIDE: Key = ("outside", "")


def kind_of(name: str, module: Any) -> str:
    """attention, mlp, norm, embedding, head, rotary, layer and model (their residuals and glue), else the class's own name.

    What lies inside attention or the feed-forward part belongs to it.
    """
    for part in name.split("."):
        if part in ROLES:
            return ROLES[part]
    called = type(module).__name__
    if "norm" in called.lower():
        return "norm"
    if isinstance(module, torch.nn.Embedding):
        return "embedding"
    if called.endswith(("Model", "ForCausalLM")):
        return "model"
    return "layer" if called.endswith("DecoderLayer") else called.lower()


class Tracer:
    """Splits what `read` counts between marks, entries and exits of modules, forward and backward.

    Between two events the counter's growth belongs to the innermost module that is open, so that the parts add up to
    the whole exactly. Backward passes are followed by markers that the autograd graph carries through each module's
    inputs and outputs; a forward pass inside of a backward one is recomputation.
    costs: (kind, direction) -> growth; directions are forward, backward, recompute, optimiser and communication.
    """

    def __init__(self, model: Any, read: Callable[[], float]) -> None:
        self.read = read
        self.costs: Costs = {}
        self._kinds = {module: kind_of(name, module) for name, module in model.named_modules() if name}
        self._part = ""
        self._open: list[tuple[Any, Key]] = []
        self._last = 0.0

    @property
    def now(self) -> Key:
        """What is innermost at the moment."""
        if self._open:
            return self._open[-1][1]
        return {
            "": OUTSIDE, "forward": ("other", "forward"), "loss": ("loss", "forward"), "backward": ("loss", "backward"),
            "after loss": ("other", "backward"), "optimiser": ("optimiser", "optimiser"),
        }[self._part]  # fmt: skip

    def mark(self, part: str) -> None:
        """A part of the step begins."""
        self._settle()
        self._open.clear()
        self._part = part

    @contextmanager
    def traced(self) -> Iterator[Tracer]:
        """Follow every module within; module hooks are gone afterwards."""
        with ExitStack() as hooks:
            for module in self._kinds:
                before = module.register_forward_pre_hook(self._enter, with_kwargs=True)
                after = module.register_forward_hook(self._leave, always_call=True)
                hooks.callback(before.remove)
                hooks.callback(after.remove)
            self._last = self.read()
            yield self

    @contextmanager
    def inside(self, kind: str, direction: str) -> Iterator[None]:
        """Something that is no module, such as a collective operation."""
        self._push(None, (kind, direction))
        try:
            yield
        finally:
            self._pop(None)

    def _settle(self) -> None:
        read = self.read()
        self.costs[self.now] = self.costs.get(self.now, 0.0) + read - self._last
        self._last = read

    def _push(self, module: Any, key: Key) -> None:
        self._settle()
        self._open.append((module, key))

    def _pop(self, module: Any) -> None:
        """Close `module` and what is still open inside of it; nothing where it is not open."""
        if any(m is module for m, _ in self._open):
            self._settle()
            while self._open.pop()[0] is not module:
                pass

    def _enter(self, module: Any, args: Any, kwargs: Any) -> Any:
        again = self._part in ("backward", "after loss")
        self._push(module, (self._kinds[module], "recompute" if again else "forward"))
        if again or not torch.is_grad_enabled():
            return None
        return _marked(args, lambda: self._leave_backward(module)), {
            k: _marked(v, lambda: self._leave_backward(module)) for k, v in kwargs.items()
        }

    def _leave(self, module: Any, args: Any, output: Any) -> Any:
        self._pop(module)
        if self._part in ("backward", "after loss") or not torch.is_grad_enabled():
            return None
        return _marked(output, lambda: self._enter_backward(module))

    def _enter_backward(self, module: Any) -> None:
        self._push(module, (self._kinds[module], "backward"))
        self._part = "after loss"

    def _leave_backward(self, module: Any) -> None:
        self._pop(module)


class _Mark(torch.autograd.Function):
    """The same tensor; its gradient passing by is an event."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, event: Callable[[], None]) -> Tensor:
        ctx.event = event
        return x.view_as(x)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        ctx.event()
        return grads[0], None


def _marked(value: Any, event: Callable[[], None]) -> Any:
    """The first tensor of a tensor, tuple or list that has a gradient, with a marker; anything else as it is."""
    if isinstance(value, Tensor):
        return _Mark.apply(value, event) if value.requires_grad else value
    if isinstance(value, tuple) and type(value) is tuple:
        for at, item in enumerate(value):
            if isinstance(item, Tensor) and item.requires_grad:
                return (*value[:at], _Mark.apply(item, event), *value[at + 1 :])
    return value


GEMM = ("mm", "addmm", "bmm", "baddbmm", "linear_dynamic")


def is_gemm(name: str) -> bool:
    """Whether an operator (`aten.mm`, without its overload) multiplies matrices; fused attention mostly does."""
    short = name.split(".")[1] if "." in name else name
    return short in GEMM or short.startswith("_scaled_dot_product")


class OperatorClock(TorchDispatchMode):
    """Seconds in operators below Python and autograd, those that multiply matrices apart from all others.

    Of each call as much is left out as the same call takes on one number (`empty_s`): that is the price of asking.
    """

    def __init__(self, synchronise: Callable[[], None], device: torch.device) -> None:
        super().__init__()
        self.synchronise = synchronise
        self.gemm = self.other = self.empty_s = 0.0
        one, taken = torch.ones(1, device=device), []
        with self:
            for _ in range(100):
                self.gemm = self.other = 0.0
                one + one
                taken.append(self.other)
        self.empty_s, self.gemm, self.other = median(taken), 0.0, 0.0

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        began = time.perf_counter()
        out = function(*args, **(kwargs or {}))
        self.synchronise()
        seconds = max(0.0, time.perf_counter() - began - self.empty_s)
        name = str(function.overloadpacket)
        if name.startswith("c10d"):
            return out
        if is_gemm(name):
            self.gemm += seconds
        else:
            self.other += seconds
        return out


def local(tensor: Any) -> Tensor:
    """This process's part of a sharded tensor; any other one as it is."""
    return tensor.to_local() if hasattr(tensor, "to_local") else tensor


class SavedBytes:
    """Bytes of what a forward pass keeps for the backward one, each storage once, parameters left out."""

    def __init__(self, model: Any) -> None:
        self._seen = {local(p).untyped_storage().data_ptr() for p in model.parameters()}
        self._kept: list[Tensor] = []
        self.total = 0

    def watching(self) -> Any:
        return torch.autograd.graph.saved_tensors_hooks(self._pack, lambda x: x)

    def _pack(self, x: Tensor) -> Tensor:
        storage = x.untyped_storage()
        if isinstance(x if x._base is None else x._base, torch.nn.Parameter):  # gathered for this pass only
            return x.detach()
        if storage.data_ptr() not in self._seen:
            self._seen.add(storage.data_ptr())
            self._kept.append(x.detach())  # as long as it is held its place is not given to another one
            self.total += storage.nbytes()
        return x.detach()


@contextmanager
def collectives(tracer: Tracer) -> Iterator[None]:
    """Communication within becomes synchronous, and is a cost of its own."""
    from torch import distributed

    names = ("all_gather_into_tensor", "reduce_scatter_tensor", "all_reduce", "broadcast", "all_gather")
    kept = {name: getattr(distributed, name) for name in names}

    def timed(original: Callable[..., Any]) -> Callable[..., Any]:
        def run(*args: Any, **kwargs: Any) -> Any:
            with tracer.inside("communication", "communication"):
                work = original(*args, **kwargs)
                if work is not None:
                    work.wait()
            return work

        return run

    try:
        for name, original in kept.items():
            setattr(distributed, name, timed(original))
        yield
    finally:
        for name, original in kept.items():
            setattr(distributed, name, original)
