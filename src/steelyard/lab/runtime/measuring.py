"""Measures one configuration in a process of its own: times of whole steps, memory, and one step taken apart three ways."""

from __future__ import annotations

import gc
import math
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from datetime import timedelta
from statistics import median
from typing import Any

import torch

from steelyard.core.words import Kind, Status
from steelyard.lab.runtime.figures import Costs, Figures
from steelyard.lab.runtime.flops import intensity, model_flops
from steelyard.lab.runtime.forking import Place
from steelyard.lab.runtime.operators import Operator
from steelyard.lab.runtime.roof import Roof, measure_roof, synchroniser
from steelyard.lab.runtime.steps import Inference, Training
from steelyard.lab.runtime.traces import Reply, Trace
from steelyard.lab.runtime.tracing import OperatorClock, SavedBytes, Tracer, collectives, local
from steelyard.lab.runtime.work import Work, open_for
from steelyard.probe import memory
from steelyard.stats.estimates import estimate

WARM, STEPS, MOST, NARROW = 2, 5, 200, 0.05
FIRST = 5  # a first step that is so much longer than the time for all of them is the only warm-up
RANKS_S = 60  # the longest that one rank waits for another
TRACED = 3  # steps of each kind that are taken apart; the median one counts


def measure(place: Place, runtime: Any, work: Work, seconds: float, apart: bool) -> Figures:
    """Open what `runtime` makes of `work` and step it; see Figures.

    seconds: for timed steps; at least STEPS are taken unless one alone is longer. apart: take steps apart as well.
    """
    torch.set_num_threads(place.threads)
    with _together(place):
        found = Figures(counted=work.counted)
        memory.reset_peak()
        before = memory.current()
        began = time.perf_counter()
        running = runtime.open(work, place)
        found.open_s = time.perf_counter() - began
        device = getattr(running, "device", torch.device("cpu"))
        dtype = getattr(runtime, "arithmetic", torch.float32)
        found.bytes["open_peak"] = _peak(device, before)
        _forget_peak()
        if work.trace is not None:
            found.replies = _serve(running, work.trace)
            found.step_s = [max((r.last for r in found.replies if r.status is Status.OK), default=math.nan)]
        else:
            _time(found, running, device, seconds, place)
        found.bytes["peak"] = _peak(device, before)
        if isinstance(running, Operator):
            found.operator = running.flops, running.bytes
            found.roof = _roof(device, dtype)
        if isinstance(running, Training | Inference):
            _account(found, running, work, dtype)
            if apart:
                _take_apart(found, running, device, place)
                found.roof = _roof(device, dtype)
        return found


def _serve(running: Any, trace: Trace) -> list[Reply]:
    running.serve(trace.head(2))
    gc.collect()
    gc.disable()
    try:
        return list(running.serve(trace))
    finally:
        gc.enable()


def reference_loss(place: Place, work: Work) -> float:
    """The loss before the first update of the plain library model in fp32, with its own loss function."""
    torch.set_num_threads(place.threads)
    model = open_for(work).eval()
    ids, labels = work.batch_of(model.config.vocab_size)
    with torch.no_grad():
        return float(model(input_ids=ids, labels=labels, shift_labels=labels, use_cache=False).loss)


@contextmanager
def _together(place: Place) -> Iterator[None]:
    """The ranks of one call as a process group, over gloo (NCCL where each has a GPU)."""
    if place.ranks == 1:
        yield
        return
    from torch import distributed

    store = distributed.FileStore(place.store, place.ranks)
    backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
    distributed.init_process_group(
        backend, store=store, rank=place.rank, world_size=place.ranks, timeout=timedelta(seconds=RANKS_S)
    )
    try:
        yield
    finally:
        distributed.destroy_process_group()


def _time(found: Figures, running: Any, device: torch.device, seconds: float, place: Place) -> None:
    """Warm-up, then steps until the interval of their median is narrow or time is up; all ranks take as many."""
    synchronise = synchroniser(device)

    def once() -> float:
        synchronise()
        began = time.perf_counter()
        found.last_loss = running.step()
        synchronise()
        return time.perf_counter() - began

    spent = once()
    found.first_loss = found.last_loss
    slow = _agree(float(spent > FIRST * seconds), place) > 0  # a first step loads and allocates, too
    if not slow:
        spent = min(once() for _ in range(WARM - 1))
        slow = _agree(float(spent > seconds), place) > 0
    gc.collect()
    gc.disable()
    try:
        while True:
            found.step_s.append(once())
            if isinstance(running, Training) and math.isnan(found.last_loss):
                raise ArithmeticError("the loss is not a number: the arithmetic overflows, take another dtype")
            if len(found.step_s) == STEPS:
                fifth = found.last_loss
            enough = slow or (len(found.step_s) >= STEPS and (sum(found.step_s) > seconds or _narrow(found.step_s)))
            if _agree(float(enough), place) > 0 or len(found.step_s) == MOST:
                break
    finally:
        gc.enable()
    found.last_loss = fifth if len(found.step_s) >= STEPS else math.nan


def _narrow(step_s: list[float]) -> bool:
    if len(step_s) < 6:
        return False
    e = estimate(step_s, Kind.DURATION)
    return (e.high - e.low) / e.value < NARROW


def _agree(value: float, place: Place) -> float:
    """The largest value of all ranks."""
    if place.ranks == 1:
        return value
    shared = torch.tensor(value)
    torch.distributed.all_reduce(shared, op=torch.distributed.ReduceOp.MAX)
    return float(shared)


def _forget_peak() -> None:
    """What it took to open a model is no part of what its steps take."""
    gc.collect()
    memory.reset_peak()
    if torch.cuda.is_initialized():
        torch.cuda.reset_peak_memory_stats()


def _peak(device: torch.device, before: int) -> float:
    if device.type == "cuda":
        return float(torch.cuda.max_memory_allocated(device))
    return float(max(0, memory.peak_so_far() - before))


def _account(found: Figures, running: Training | Inference, work: Work, dtype: torch.dtype) -> None:
    """What is known without a step: parameters, their bytes, what the model needs."""
    parameters = [*running.model.parameters()]
    stored = {t.untyped_storage().data_ptr(): t.untyped_storage().nbytes() for t in map(local, [*parameters, *running.model.buffers()])}  # fmt: skip
    packed = [m.weight() for m in running.model.modules() if hasattr(m, "_packed_params") and hasattr(m, "in_features")]
    found.bytes["weights"] = sum(stored.values()) + sum(w.numel() * w.element_size() for w in packed)
    found.trained = sum(p.numel() for p in parameters if p.requires_grad)
    if isinstance(running, Training):
        state = [t for kept in running.optimiser.state.values() for t in kept.values() if isinstance(t, torch.Tensor)]
        found.bytes["optimiser"] = sum(local(t).nbytes for t in state)
    found.model_flops = model_flops(running.model.config, work)
    found.intensity = intensity(running.model.config, work, dtype.itemsize)


def _take_apart(found: Figures, running: Training | Inference, device: torch.device, place: Place) -> None:
    """Traced steps for seconds of modules; one with counters; one with a clock around every operator."""
    synchronise = synchroniser(device)
    times = TRACED if len(found.step_s) > 1 else 1  # a step that is longer than all of its time is not repeated

    def clock() -> float:
        synchronise()
        return time.perf_counter()

    def traced(tracer: Tracer, *contexts: Any) -> Costs:
        with ExitStack() as stack:
            if place.ranks > 1:
                stack.enter_context(collectives(tracer))
            for context in contexts:
                stack.enter_context(context)
            stack.enter_context(tracer.traced())
            running.step(tracer.mark)
        return tracer.costs

    runs = sorted((traced(Tracer(running.model, clock)) for _ in range(times)), key=lambda costs: sum(costs.values()))
    found.modules = runs[times // 2]
    found.traced_s = sum(found.modules.values())
    counter = flop_counter()
    found.flops = traced(Tracer(running.model, counter.get_total_flops), counter)
    saved = SavedBytes(running.model)
    watching = saved.watching() if isinstance(running, Training) else nullcontext()
    gradients: list[int] = []
    tracer = Tracer(running.model, lambda: saved.total)

    def note(part: str) -> None:
        if part == "optimiser":
            gradients.append(sum(local(p.grad).nbytes for p in running.model.parameters() if p.grad is not None))

    told(tracer, note)
    found.saved = traced(tracer, watching)
    if gradients:
        found.bytes["gradient"], found.bytes["activation"] = gradients[0], saved.total
    _operators(found, running, device, traced, times)


def flop_counter() -> Any:
    """PyTorch's counter, which does not know the fused attention of CPUs and quantised products by itself."""
    from torch.utils.flop_counter import FlopCounterMode, sdpa_backward_flop_count, sdpa_flop_count

    aten = torch.ops.aten

    def forward(query: Any, key: Any, value: Any, *_: Any, out_shape: Any = None, **__: Any) -> int:
        return int(sdpa_flop_count(query, key, value))

    def backward(grad: Any, query: Any, key: Any, value: Any, *_: Any, out_shape: Any = None, **__: Any) -> int:
        return int(sdpa_backward_flop_count(grad, query, key, value))

    def quantised(x: Any, packed: Any, *_: Any, out_shape: Any = None, **__: Any) -> int:
        return 2 * math.prod(x) * int(out_shape[-1])

    mapping = {
        torch.ops.quantized.linear_dynamic: quantised,
        aten._scaled_dot_product_flash_attention_for_cpu: forward,
        aten._scaled_dot_product_flash_attention_for_cpu_backward: backward,
    }
    return FlopCounterMode(display=False, custom_mapping=mapping)


def _operators(found: Figures, running: Training | Inference, device: torch.device, traced: Any, times: int) -> None:
    """Seconds in operators of forward and backward passes, those that multiply matrices (also by module) and all others."""
    runs = []
    for _ in range(times):
        ticking = OperatorClock(synchroniser(device), device)
        read: list[float] = []

        def note(part: str, ticking: OperatorClock = ticking, read: list[float] = read) -> None:
            if part in ("optimiser", ""):
                read.append(ticking.other)

        tracer = Tracer(running.model, lambda ticking=ticking: ticking.gemm)
        told(tracer, note)
        costs = traced(tracer, ticking)
        runs.append((sum(v for (_, direction), v in costs.items() if direction != "optimiser"), read[0], costs))
    runs.sort(key=lambda run: run[0])
    gemm, _, found.gemm = runs[times // 2]
    found.operators = {"gemm": gemm, "other": median(other for _, other, _ in runs)}


def told(tracer: Tracer, also: Callable[[str], Any]) -> None:
    """Let somebody else know, too, which part of a step begins."""
    mark = tracer.mark

    def both(part: str) -> None:
        also(part)
        mark(part)

    tracer.mark = both  # type: ignore[method-assign]


def _roof(device: torch.device, dtype: torch.dtype) -> Roof | None:
    try:
        return measure_roof(device, dtype)
    except (MemoryError, RuntimeError):  # a limit on memory leaves no room for its arrays
        return None
