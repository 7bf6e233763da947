"""PyTorch with its techniques as switches: precision, attention, recomputation, adapters, packed weights, sharding, offload."""

from __future__ import annotations

import warnings
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, Literal

from steelyard.core.contender import contender
from steelyard.core.errors import InputError, MissingError
from steelyard.lab import runtime, serving

RATE = 1e-4  # of learning: of no meaning for time


@contender("pytorch", interface="runtime", source="PyTorch and transformers; techniques as arXiv:2311.03687 takes them")
@dataclass(frozen=True)
class PyTorch:
    """A language model of the transformers library, trained or run with these techniques; all are off by default.

    dtype: of weights and arithmetic; `autocast` keeps fp32 weights and multiplies in bf16.
    attention: `eager` (scores in memory), or the library's fused kernel: `sdpa` as it chooses, or `flash`, `efficient`,
        `math`, and no other one.
    recompute: activations of every `layer`, or every `second` one, are thrown away and computed again (arXiv:1604.06174).
    optimiser: `adamw` as the library has it, `fused` in one kernel, `sgd`, or `adamw8bit` (moments in 8 bits).
    offload: moments of AdamW on the `host`, on `disk` (in a mapped file), or `disk-cold` (not even in the page cache).
    accumulate: micro-batches of a step.
    tune: all weights, or adapters (`lora`) of that `rank` on `targets` (q and v, or all linear layers).
    weights: storage of the layers' linear weights: `plain`, `int8`, `nf4`. Frozen ones are multiplied out when they are used;
        in inference int8 is the library's dynamic quantisation with its own kernel.
    sharding: over two processes: `ddp` (copies, whose gradients are averaged after the backward pass), `zero2` (optimiser and gradients sharded; weights gathered once a step),
        `zero3` (weights gathered for each pass). threads: of each process. device: cpu or cuda.
    """

    dtype: Literal["fp32", "bf16", "fp16", "autocast"] = "fp32"
    attention: Literal["eager", "sdpa", "flash", "efficient", "math"] = "eager"
    recompute: Literal["off", "layer", "second"] = "off"
    optimiser: Literal["adamw", "fused", "sgd", "adamw8bit"] = "adamw"
    offload: Literal["off", "host", "disk", "disk-cold"] = "off"
    accumulate: int = 1
    tune: Literal["full", "lora"] = "full"
    rank: int = 8
    targets: Literal["qv", "all"] = "qv"
    weights: Literal["plain", "int8", "nf4"] = "plain"
    sharding: Literal["none", "ddp", "zero2", "zero3"] = "none"
    threads: int = 1
    device: Literal["cpu", "cuda"] = "cpu"
    depends_on: ClassVar[tuple[Any, ...]] = (
        *runtime.sources(), *serving.sources(), *(Path(__file__).with_name(f"{part}.py") for part in ("lora", "optimisers", "packed")),
    )  # fmt: skip

    @property
    def ranks(self) -> int:
        """Processes that it takes."""
        return 1 if self.sharding == "none" else 2

    def supported(self) -> str:
        """Why this cannot run here, or ""; looked at in a process that must not touch the GPU."""
        from steelyard.probe import machine

        if self.device == "cuda" and len(machine().gpus) < self.ranks:
            return f"needs {self.ranks} GPU{'s' * (self.ranks > 1)}"
        return ""

    def open(self, work: Any, place: Any) -> Any:
        """The model, ready to be stepped (lab.runtime.steps). Raises InputError for switches that exclude each other."""
        import torch

        self._check(work)
        device = torch.device(f"cuda:{place.rank}" if self.device == "cuda" else "cpu")
        if device.type == "cuda" and not torch.cuda.is_available():
            raise MissingError("this machine has no GPU that PyTorch can use.", "Leave device out: cpu.")
        if device.type == "cuda":
            torch.cuda.set_device(device)
        dtype = torch.float32 if self.dtype == "autocast" else self.arithmetic
        if work.phase == "operator":
            return runtime.operator(work, dtype, device)
        self._one_kernel()
        model = runtime.open_for(work, "eager" if self.attention == "eager" else "sdpa", dtype)
        if self.weights != "plain" and work.trains:
            from steelyard.contenders.runtimes.packed import pack

            model.requires_grad_(False)
            pack(model, self.weights)
        if self.tune == "lora" and work.trains:
            from steelyard.contenders.runtimes.lora import adapt

            adapt(model, self.rank, self.targets)
        if work.phase == "serve":
            from steelyard.lab import from_model

            return runtime.Server(from_model(self._for_inference(model).to(device)), work.slots, work.patience)
        ids, labels = (x.to(device) for x in runtime.rows_of(work, model.config.vocab_size, place.rank, place.ranks))
        around = partial(self._around, device.type)
        if not work.trains:
            return runtime.Inference(self._for_inference(model).to(device), ids, work.new, around)
        model = self._shard(self._recomputing(model.to(device)), device)
        average = partial(_average, model, place.ranks) if self.sharding == "ddp" else None
        optimiser = self._optimise(model, device)
        return runtime.Training(model, optimiser, ids, labels, self.accumulate, place.ranks, around, average)

    @property
    def arithmetic(self) -> Any:
        """What matrices are multiplied in (a dtype of torch): the machine's peak is measured in it."""
        import torch

        if self.dtype == "fp32":
            return torch.float32
        return torch.float16 if self.dtype == "fp16" else torch.bfloat16

    def _check(self, work: Any) -> None:
        rows = work.batch // self.ranks
        served = work.phase == "serve" and (self.attention != "eager" or self.dtype == "autocast")
        wrong = {
            "the server has attention of its own: leave attention and autocast out": served,
            "an operator alone has a dtype, threads and a device only": work.phase == "operator" and self != PyTorch(dtype=self.dtype, threads=self.threads, device=self.device),
            f"{work.phase} has no backward pass": not work.trains and (
                self.recompute != "off" or self.offload != "off" or self.optimiser != "adamw" or self.accumulate > 1
                or self.tune != "full" or self.sharding != "none"
            ),
            f"a batch of {work.batch} cannot be shared by {self.ranks} processes": work.batch % self.ranks != 0,
            f"{rows} rows make no {self.accumulate} micro-batches": self.accumulate < 1 or rows % self.accumulate != 0,
            "packed weights cannot be trained: take tune=lora": work.trains and self.weights != "plain" and self.tune == "full",
            "only int8 has a kernel for inference": not work.trains and self.weights == "nf4",
            "only AdamW has moments to be put elsewhere": self.offload != "off" and self.optimiser != "adamw",
            "sharded moments stay where they are": self.sharding.startswith("zero") and (self.offload != "off" or self.optimiser == "adamw8bit"),
            "packed weights are not sharded": self.sharding.startswith("zero") and self.weights != "plain",
        }  # fmt: skip
        if why := next((what for what, so in wrong.items() if so), ""):
            raise MissingError(f"{why}.", "Switches that exclude each other are no configuration.")
        if self.tune == "lora" and self.rank < 1:
            raise InputError(f"pytorch: rank is {self.rank}.", "It is 1 at least.")

    def _around(self, device: str) -> AbstractContextManager[Any]:
        """Entered around each forward pass."""
        import torch

        return torch.autocast(device, torch.bfloat16) if self.dtype == "autocast" else nullcontext()

    def _one_kernel(self) -> None:
        """One kernel of attention and no other one, as long as this process lives: backward passes recompute with it, too."""
        from torch.nn.attention import SDPBackend, sdpa_kernel

        kernels = {"flash": "FLASH_ATTENTION", "efficient": "EFFICIENT_ATTENTION", "math": "MATH"}
        if self.attention in kernels:
            sdpa_kernel(getattr(SDPBackend, kernels[self.attention])).__enter__()

    def _for_inference(self, model: Any) -> Any:
        import torch

        model.requires_grad_(False)
        if self.weights != "int8":
            return model
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it is to move to another package
            return torch.ao.quantization.quantize_dynamic(model, {torch.nn.Linear}, torch.qint8, inplace=True)

    def _recomputing(self, model: Any) -> Any:
        if self.recompute == "off":
            return model
        model.gradient_checkpointing_enable({"use_reentrant": False})
        if self.recompute == "second":
            for layer in model.model.layers[::2]:
                layer.gradient_checkpointing = False
        return model

    def _shard(self, model: Any, device: Any) -> Any:
        if not self.sharding.startswith("zero"):
            return model
        from torch.distributed.device_mesh import init_device_mesh
        from torch.distributed.fsdp import fully_shard

        mesh = init_device_mesh(device.type, (self.ranks,))
        for part in (*model.model.layers, model):
            fully_shard(part, mesh=mesh, reshard_after_forward=self.sharding == "zero3")
        return model

    def _optimise(self, model: Any, device: Any) -> Any:
        import torch

        from steelyard.contenders.runtimes.optimisers import DiskStore, EightBitStore, HostStore, StoredAdamW

        trained = [p for p in model.parameters() if p.requires_grad]
        sizes = [p.numel() for p in trained]
        if self.optimiser == "adamw8bit":
            return StoredAdamW(trained, EightBitStore(sizes, device), RATE)
        if self.offload == "host":
            return StoredAdamW(trained, HostStore(sizes), RATE)
        if self.offload != "off":
            return StoredAdamW(trained, DiskStore(sizes, self.offload == "disk-cold"), RATE)
        if self.optimiser == "sgd":
            return torch.optim.SGD(trained, lr=RATE)
        return torch.optim.AdamW(trained, lr=RATE, fused=self.optimiser == "fused")


def _average(model: Any, ranks: int) -> None:
    """Gradients become their mean over all processes: one all-reduce of all of them, after the backward pass."""
    import torch
    from torch import distributed

    grads = [p.grad for p in model.parameters() if p.grad is not None]
    flat = torch.cat([g.flatten() for g in grads])
    distributed.all_reduce(flat)
    for g, mean in zip(grads, flat.div_(ranks).split([g.numel() for g in grads]), strict=True):
        g.copy_(mean.view_as(g))
