"""BFP: keys (or values) in block floating point, with channels rearranged at compile time so that like share a block."""

from __future__ import annotations

import math
import weakref
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor

from steelyard.contenders.caches import block_format, rearrange
from steelyard.contenders.caches.block_format import BlockFormat
from steelyard.contenders.caches.rearrange import balance_of, calibrate, fold, order_of
from steelyard.core.contender import contender
from steelyard.core.errors import InputError
from steelyard.lab.cache import KVCache, LayerCache
from steelyard.lab.forward_pass import forward
from steelyard.lab.opening import LabModel
from steelyard.lab.policy import CachePolicy
from steelyard.lab.texts import calibration

VOTERS = 64  # newest queries of the prompt by which the error of logits is told
OUTLIER = 4.0  # times the median of its head

MODELS = 8  # rearranged copies that are kept of one model: each has matrices of its own for queries and keys

Compiled = tuple[LabModel | None, list[Tensor]]
_compiled: weakref.WeakKeyDictionary[Any, dict[tuple[object, ...], Compiled]] = weakref.WeakKeyDictionary()


@contender("bfp", interface="cache", source="arXiv:2403.20137 (K-sort)")
@dataclass(frozen=True)
class BFP(CachePolicy):
    """Blocks of n channels of one head share an exponent of 8 bits. Numbers are stored once, when their token enters.

    m: bits of a mantissa, its sign among them, 2 to 8; 0 stores numbers as they are. n: channels of a block.
    tensors: what is stored so, `k` (as published), `v` or `kv`.
    sort: order of the key channels, by rising row_norm (as published), pair_norm or calibrated size; reverse, random, none.
    rope: `free`: any order, rotation tables rearranged with it; `pairwise`: pairs of a rotation are moved as one.
    rotate: `hadamard` mixes the channels of keys and queries when they run (the rival; no order survives it).
    balance: weigh key pairs against query pairs, folded into the weights. centre: store keys less their mean over
    calibration tokens, which moves all logits of a query alike. Both are ours.
    scale, overflow, full_range: of the format. query_m: mantissa bits of queries, 0 leaves them as they are.
    """

    m: int = 4
    n: int = 32
    tensors: Literal["k", "v", "kv"] = "k"
    sort: Literal["none", "row_norm", "pair_norm", "calibrated", "random", "reverse"] = "row_norm"
    rope: Literal["free", "pairwise"] = "free"
    rotate: Literal["none", "hadamard"] = "none"
    balance: bool = False
    centre: bool = False
    scale: Literal["power", "float"] = "power"
    overflow: Literal["clip", "bump"] = "clip"
    full_range: bool = False
    query_m: int = 0

    identity: ClassVar[Mapping[str, Any]] = {"m": 0}

    @property
    def depends_on(self) -> tuple[object, ...]:
        return block_format, rearrange, *((calibration(),) if self._calibrated else ())

    def prefill(self, lab: LabModel, cache: KVCache, ids: Tensor, positions: Tensor) -> Tensor | None:
        self._check(lab.layers[0].self_attn.head_dim)
        return self._run(lab, cache, ids, prompt=True)

    def step(self, lab: LabModel, cache: KVCache, ids: Tensor, positions: Tensor) -> Tensor | None:
        return self._run(lab, cache, ids, prompt=False)

    def enter(self, layer: LayerCache, queries: Tensor, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        size = keys.shape[-1]
        if "centre" in layer.state:
            keys = keys - layer.state["centre"][:, None]
        if self.rotate == "hadamard":
            mix = hadamard(size, keys)
            queries, keys = queries @ mix, keys @ mix
        if self.query_m:
            format = BlockFormat(self.query_m, self.n)
            queries = format.decode(format.encode(queries), size).to(queries.dtype)
        layer.state["queries"] = queries[:, :, -VOTERS:]
        return queries, keys, values

    def append(self, layer: LayerCache, keys: Tensor, values: Tensor, positions: Tensor) -> None:
        if not self.m:
            return layer.add(keys, values, positions)
        layer.state["size"], format = keys.shape[-1], self._format
        entering = {"k": keys, "v": values}
        for name, x in entering.items():
            bad = ~torch.isfinite(x).all(-1).all(1)
            if bad.any():
                token = layer.length + int(bad[0].nonzero()[0])
                raise InputError(
                    f"bfp: layer {layer.index}, token {token}: {name} is not finite.", "Run the model in fp32 or bf16."
                )
            if name in self.tensors:
                entering[name] = format.encode(x)
        if "k" in self.tensors:
            self._note(layer, keys, format.decode(entering["k"], keys.shape[-1]))
        if not layer.length:
            layer.keys, layer.values = (x[:, :, :0] for x in entering.values())
        layer.add(entering["k"], entering["v"], positions)

    def read(self, layer: LayerCache) -> tuple[Tensor, Tensor]:
        if not self.m:
            return layer.keys, layer.values
        dtype, size = layer.state["queries"].dtype, layer.state["size"]
        held = {"k": layer.keys, "v": layer.values}
        keys, values = (
            self._format.decode(x, size).to(dtype) if name in self.tensors else x for name, x in held.items()
        )
        return keys, values

    def one_by_one(self) -> bool:
        return False  # a token is stored by itself, so several at once are stored alike

    def figures(self, cache: KVCache) -> Mapping[str, float]:
        """key_error: ||K - K'|| / ||K||, mean over layers. logit_error: root mean square of q.(k - k') over the square root of D.

        outlier_neighbour_error: relative error of ordinary channels beside an outlier over that of those in blocks
        without, geometric mean over heads that have both.
        """
        noted = [layer.state["noted"] for layer in cache.layers if "noted" in layer.state]
        if not noted:
            return {}
        errors = [(error.sum() / square.sum()).sqrt() for error, square, _ in noted]
        found = {
            "key_error": float(torch.stack(errors).mean()),
            "logit_error": float(torch.stack([logit for *_, logit in noted]).square().mean().sqrt()),
        }
        ratios = [r for error, square, _ in noted for r in self._neighbours(error, square)]
        return found | (
            {"outlier_neighbour_error": math.exp(sum(map(math.log, ratios)) / len(ratios))} if ratios else {}
        )

    @property
    def _calibrated(self) -> bool:
        return self.sort == "calibrated" or self.balance or self.centre

    @property
    def _format(self) -> BlockFormat:
        return BlockFormat(self.m, self.n, self.scale, self.overflow, self.full_range)

    def _check(self, size: int) -> None:
        for name, bits in (("m", self.m), ("query_m", self.query_m)):
            if bits and not 2 <= bits <= 8:
                raise InputError(
                    f"bfp: {name} is {bits}.", "A mantissa has 2 to 8 bits, its sign among them; 0 for none."
                )
        if (self.m or self.query_m) and (self.n < 1 or size % self.n):
            fitting = ", ".join(str(n) for n in range(2, size + 1) if size % n == 0)
            raise InputError(f"bfp: blocks of {self.n} do not fit a head of {size} channels.", f"n may be {fitting}.")
        if self.rotate == "hadamard" and size & (size - 1):
            raise InputError(f"bfp: a head of {size} channels has no Hadamard rotation.", "It takes a power of two.")

    def _run(self, lab: LabModel, cache: KVCache, ids: Tensor, *, prompt: bool) -> Tensor:
        compiled, centres = self._compile(lab)
        for layer, centre in zip(cache.layers, centres, strict=False):
            layer.state["centre"] = centre
        heads, size = lab.config.num_key_value_heads, lab.layers[0].self_attn.head_dim
        spent = heads * size if self.centre else 0
        if self.rotate == "hadamard":
            spent += (heads + lab.config.num_attention_heads) * size * int(math.log2(size))
        lab.counts.flops += spent * ids.numel() * len(lab.layers)
        return forward(compiled or lab, cache, ids, self, prompt=prompt, every=not prompt)

    def _compile(self, lab: LabModel) -> Compiled:
        """The model with rearranged weights (None: nothing changes), and what is taken off the keys of each layer."""
        made, key = _compiled.setdefault(lab.model, {}), (self.sort, self.rope, self.balance, self.centre)
        if key in made:
            return made[key]
        heads = lab.config.num_key_value_heads
        seen = calibrate(lab) if self._calibrated else None
        orders = [
            order_of(layer, self.sort, pairwise=self.rope == "pairwise", heads=heads, seen=seen and seen[i])
            for i, layer in enumerate(lab.layers)
        ]
        factors = [balance_of(s, self.centre) for s in seen] if seen and self.balance else None
        compiled = None if self.sort == "none" and factors is None else fold(lab, orders, factors)
        centres = []
        if seen and self.centre:
            scaled = [s.mean * f for s, f in zip(seen, factors or [1] * len(seen), strict=True)]
            centres = [x.gather(-1, order).to(lab.dtype) for x, order in zip(scaled, orders, strict=True)]
        if len(made) >= MODELS:
            made.pop(next(iter(made)))
        made[key] = compiled, centres
        return made[key]

    def _note(self, layer: LayerCache, keys: Tensor, stored: Tensor) -> None:
        """Sums over tokens of squared errors and squared keys (H, D), and the error of the prompt's last logits."""
        lost = keys.float() - stored
        error, square = (x.square().sum((0, 2)) for x in (lost, keys.float()))
        if "noted" in layer.state:
            before = layer.state["noted"]
            layer.state["noted"] = (before[0] + error, before[1] + square, before[2])
            return
        queries = layer.state["queries"].float()
        wide = lost.repeat_interleave(queries.shape[1] // lost.shape[1], 1)
        logit = (queries @ wide.transpose(2, 3)).square().mean().sqrt() / keys.shape[-1] ** 0.5
        layer.state["noted"] = (error, square, logit)

    def _neighbours(self, error: Tensor, square: Tensor) -> list[float]:
        """Of each head with an outlier and a block without."""
        found = []
        for e, s in zip(error, square, strict=True):
            outlier = s.sqrt() > OUTLIER * s.sqrt().median()
            beside = outlier.view(-1, self.n).any(-1).repeat_interleave(self.n)
            near, far = beside & ~outlier, ~beside
            if near.any() and far.any() and e[far].sum() > 0:
                found.append(float(((e[near].sum() / s[near].sum()) / (e[far].sum() / s[far].sum())).sqrt()))
        return found


def hadamard(size: int, like: Tensor) -> Tensor:
    """The orthogonal matrix of Sylvester's construction; size is a power of two."""
    mix = torch.ones(1, 1, dtype=like.dtype, device=like.device)
    while mix.shape[0] < size:
        mix = torch.cat([torch.cat([mix, mix], 1), torch.cat([mix, -mix], 1)])
    return mix / size**0.5
