"""Every method of kvpress that compresses after the prompt, as `press:NAME[...]`, through the library's own hooks."""

from __future__ import annotations

import dataclasses
import functools
import importlib.metadata
import inspect
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from torch import Tensor

from steelyard.core.errors import MissingError, unknown
from steelyard.lab.cache import ABSENT, KVCache
from steelyard.lab.opening import LabModel
from steelyard.lab.policy import CachePolicy

OTHERS = (
    "Decoding", "DMS", "DuoAttention", "ExpectedAttentionStats", "FastKVzip", "Finch", "KVCompose", "KVgrad", "KVzap",
    "KVzip", "LUKV", "QFilter", "RestoreKV", "Scorer",
)  # fmt: skip


@functools.cache
def presses() -> dict[str, type]:
    """Name -> class of those that need nothing but a model: `snapkv`, `expected-attention`, `knorm`, ...

    Not among them: wrappers around another press, and what acts while decoding, replays the context in passes of its
    own, fetches trained weights, or wants its tokenizer prepared.
    """
    try:
        import kvpress
    except ModuleNotFoundError as error:
        raise MissingError(
            f"`press:` needs the library {error.name!r}, which is not installed.", "pip install 'steelyard[lab]'"
        ) from error
    found = {}
    for name, cls in vars(kvpress).items():
        if not (inspect.isclass(cls) and name.endswith("Press") and issubclass(cls, kvpress.BasePress)):
            continue
        asked = inspect.signature(cls).parameters
        whole = all(p.default is not p.empty for p in asked.values())
        if whole and "compression_ratio" in asked and not name.startswith(OTHERS):
            found[_spoken(name.removesuffix("Press"))] = cls
    return found


def _spoken(name: str) -> str:
    """SnapKV -> snapkv, ExpectedAttention -> expected-attention, StreamingLLM -> streaming-llm, ThinK -> think."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])(?!KV|K$)", "-", name).lower()


@dataclass(frozen=True)
class Press(CachePolicy):
    """The library runs the prompt with the press's hooks; what it leaves is our cache, and decoding is ours.

    Entries that a press only masks are hidden and not counted. Options are those of the press (compression_ratio: share
    of the entries that are dropped).
    """

    cls: ClassVar[type]
    identity: ClassVar[Mapping[str, Any]] = {"compression_ratio": 0.0}

    @staticmethod
    def named(name: str) -> type[Press]:
        """The contender of one press; its fields are the press's plain options."""
        if name not in presses():
            raise unknown("press", name, presses(), where="kvpress")
        cls = presses()[name]
        plain = [
            (f.name, type(f.default), f.default)
            for f in dataclasses.fields(cls)
            if f.name in inspect.signature(cls).parameters and isinstance(f.default, bool | int | float | str)
        ]
        made = dataclasses.make_dataclass(
            f"Press_{name}", plain, bases=(Press,), namespace={"cls": cls, "__module__": __name__}, frozen=True
        )
        made.steelyard_name, made.interface = f"press:{name}", "cache"  # type: ignore[attr-defined]
        made.source = f"kvpress, {cls.__name__}"  # type: ignore[attr-defined]
        return made

    @property
    def depends_on(self) -> tuple[object, ...]:
        return self.cls, importlib.metadata.version("kvpress")

    def prefill(self, lab: LabModel, cache: KVCache, ids: Tensor, positions: Tensor) -> Tensor | None:
        from transformers import DynamicCache

        press = self.cls(**{f.name: getattr(self, f.name) for f in dataclasses.fields(self)})
        held, config = DynamicCache(config=lab.config), lab.config
        usual = config._attn_implementation
        config._attn_implementation = "eager" if self.cls.__name__.startswith("Observed") else usual
        try:
            with press(lab.model):
                logits = lab.model(ids, past_key_values=held, logits_to_keep=1).logits
        except AssertionError as error:
            raise RuntimeError(f"{self.cls.__name__} refuses: {error}") from error
        finally:
            config._attn_implementation = usual
        length = ids.shape[1]
        lab.counts.forward_passes += 1
        lab.counts.tokens_computed += length
        lab.counts.flops += lab.flops_per_token * length
        for layer, theirs in zip(cache.layers, held.layers, strict=True):
            layer.keys, layer.values = theirs.keys, theirs.values
            count = theirs.keys.shape[2]
            at = positions[:, None, -count:] if layer.window else positions[:, None, :count]
            hidden = getattr(lab.layers[layer.index].self_attn, "masked_key_indices", None)
            if hidden is not None:
                at = at.expand(1, layer.keys.shape[1], -1).clone()
                at[hidden] = ABSENT
                lab.layers[layer.index].self_attn.masked_key_indices = None
            layer.positions = at
            size, heads = layer.keys.shape[-1], config.num_attention_heads
            lab.counts.attended += heads * length * (length + 1) // 2
            lab.counts.flops += 4 * size * heads * length * (length + 1) // 2
        cache.seen = length
        return logits

    def bytes(self, layer: Any) -> int:
        shown = (layer.positions.expand(1, layer.keys.shape[1], -1) != ABSENT).sum()
        return int(shown) * 2 * layer.keys.shape[-1] * layer.keys.element_size()
