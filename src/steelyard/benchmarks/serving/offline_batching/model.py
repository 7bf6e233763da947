"""The models that timed cases run: a random one made on the spot, or one that the lab opens."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from steelyard.lab.opening import DTYPES, LabModel, check_device, from_model, open_model

VOCABULARY = 1024


@dataclass(frozen=True, eq=False)
class Model:
    """lab: the open model."""

    lab: LabModel

    @property
    def vocabulary(self) -> int:
        """Token ids it knows."""
        return int(self.lab.config.vocab_size)

    def encode(self, text: str) -> Sequence[int]:
        """Token ids of a text: by the model's tokenizer, of the random model the bytes of its UTF-8."""
        return self.lab.encode(text) if self.lab.tokenizer is not None else list(text.encode())


@cache
def open_by_name(name: str, dtype: str = "fp32", device: str = "cpu") -> Model:
    """`tiny`: a Llama of 2 layers, 128 wide, with random weights large enough that its attention and its answers depend
    on the whole prompt. Else whatever the lab opens. In fp32 every order of batches gives the same tokens.
    """
    check_device(device)
    if name != "tiny":
        return Model(open_model(name, dtype, device))
    import torch
    import transformers

    torch.set_num_threads(1)
    torch.manual_seed(0)
    config = transformers.LlamaConfig(
        vocab_size=VOCABULARY, hidden_size=128, intermediate_size=352, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, head_dim=32, max_position_embeddings=8192, tie_word_embeddings=False,
    )  # fmt: skip
    model = transformers.LlamaForCausalLM(config)
    with torch.no_grad():
        for name_, weight in model.named_parameters():
            if weight.dim() == 2 and "embed" not in name_:
                weight.mul_(6)
    return Model(from_model(model.to(device, DTYPES[dtype]), name="tiny"))
