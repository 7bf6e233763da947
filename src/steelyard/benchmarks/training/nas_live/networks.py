"""Networks of three chosen layers on the digits data, trained with NumPy, and the budget a search spends on them."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache

import numpy as np

from steelyard.core.errors import MissingError

OPERATIONS = ("relu", "tanh", "linear", "sine", "gauss")
SOURCES = ("previous", "input", "both")
LAYERS = 3
CHOICES = (len(OPERATIONS), len(SOURCES)) * LAYERS
Genotype = tuple[int, ...]


@dataclass(frozen=True)
class Recipe:
    """How a network is trained. augment: Gaussian noise (sd 0.1) on every image."""

    name: str
    momentum: float = 0.0
    augment: bool = False
    epochs: int = 8
    decay: float = 0.0


RECIPES = (
    Recipe("plain"), Recipe("momentum", 0.9), Recipe("augmented", 0.9, True), Recipe("long", 0.9, True, 16, 1e-3),
)  # fmt: skip
SEARCH = RECIPES[1]


@dataclass(frozen=True)
class Space:
    """One search problem: units a layer, training images."""

    name: str
    width: int
    images: int


SPACES = tuple(Space(f"width-{w}-images-{n}", w, n) for w in (8, 24) for n in (150, 400))


@cache
def digits() -> tuple[np.ndarray, np.ndarray]:
    """(1797, 64) images in [0, 1] and their labels, in a fixed shuffled order. Needs scikit-learn, which holds them."""
    try:
        from sklearn.datasets import load_digits
    except ImportError as error:
        raise MissingError("the live search needs scikit-learn, which holds the digits data.",
                           "pip install scikit-learn   or: pip install 'steelyard[science]'") from error  # fmt: skip
    data = load_digits()
    order = np.random.default_rng(0).permutation(len(data.target))
    return data.data[order] / 16.0, data.target[order]


def _act(kind: str, v: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Output and derivative of an operation."""
    if kind == "relu":
        return np.maximum(v, 0), (v > 0).astype(float)
    if kind == "tanh":
        out = np.tanh(v)
        return out, 1 - out**2
    if kind == "sine":
        return np.sin(v), np.cos(v)
    if kind == "gauss":
        out = np.exp(-(v**2))
        return out, -2 * v * out
    return v, np.ones_like(v)


class Network:
    """Three layers and a linear reading; layer k takes the layer before, a projection of the image, or both."""

    def __init__(self, genotype: Genotype, width: int, rng: np.random.Generator) -> None:
        self.operations = [OPERATIONS[g] for g in genotype[0::2]]
        self.sources = [SOURCES[g] for g in genotype[1::2]]
        self.projection = rng.normal(0, 1 / 8, (64, width))
        self.weights = [rng.normal(0, 1 / np.sqrt(width), (width, width)) for _ in range(LAYERS)]
        self.reading = rng.normal(0, 1 / np.sqrt(width), (width, 10))
        self.biases = [np.zeros(width) for _ in range(LAYERS)] + [np.zeros(10)]

    def parameters(self) -> list[np.ndarray]:
        return [self.projection, *self.weights, self.reading, *self.biases]

    def forward(self, x: np.ndarray) -> tuple[np.ndarray, list[tuple[np.ndarray, np.ndarray]], np.ndarray]:
        seen = h = x @ self.projection
        trace = []
        for k in range(LAYERS):
            taken = h if self.sources[k] == "previous" else seen if self.sources[k] == "input" else h + seen
            h, slope = _act(self.operations[k], taken @ self.weights[k] + self.biases[k])
            trace.append((taken, slope))
        return h @ self.reading + self.biases[-1], trace, h

    def gradients(self, x: np.ndarray, labels: np.ndarray) -> list[np.ndarray]:
        """Of the mean cross-entropy, in the order of `parameters`."""
        logits, trace, last = self.forward(x)
        error = np.exp(logits - logits.max(axis=1, keepdims=True))
        error /= error.sum(axis=1, keepdims=True)
        error[np.arange(len(labels)), labels] -= 1
        error /= len(labels)
        reading, top = last.T @ error, error.sum(axis=0)
        back = error @ self.reading.T
        to_seen = np.zeros_like(back)
        weights, biases = [np.empty(0)] * LAYERS, [np.empty(0)] * LAYERS
        for k in reversed(range(LAYERS)):
            taken, slope = trace[k]
            inner = back * slope
            weights[k], biases[k] = taken.T @ inner, inner.sum(axis=0)
            below = inner @ self.weights[k].T
            if self.sources[k] in ("input", "both"):
                to_seen += below
            back = below if self.sources[k] in ("previous", "both") else np.zeros_like(below)
        return [x.T @ (back + to_seen), *weights, reading, *biases, top]


def train(genotype: Genotype, space: Space, recipe: Recipe, seed: int, epochs: int | None = None) -> Network:
    """A network trained on the space's images; same arguments, same network."""
    x, labels = (v[: space.images] for v in digits())
    rng = np.random.default_rng([seed, *genotype])
    network = Network(genotype, space.width, rng)
    speed = [np.zeros_like(p) for p in network.parameters()]
    rate = 0.2 * (1 - recipe.momentum)
    for _ in range(epochs or recipe.epochs):
        order = rng.permutation(len(x))
        for start in range(0, len(x), 32):
            rows = order[start : start + 32]
            batch = x[rows] + 0.1 * rng.normal(size=x[rows].shape) if recipe.augment else x[rows]
            for p, v, g in zip(network.parameters(), speed, network.gradients(batch, labels[rows]), strict=True):
                v *= recipe.momentum
                v -= rate * (np.clip(g, -1, 1) + recipe.decay * p)
                p += v
    return network


def accuracy(network: Network, part: str) -> float:
    """Percent right of the validation (300 images after the first 600) or test part (the rest)."""
    x, labels = digits()
    rows = slice(600, 900) if part == "validation" else slice(900, None)
    return 100 * float((network.forward(x[rows])[0].argmax(axis=1) == labels[rows]).mean())


@dataclass
class Search:
    """What a search method gets: the number of options of each decision, a generator, and a budget to spend.

    left: training epochs that remain; spent: those used.
    """

    space: Space
    seed: int
    left: int
    choices: tuple[int, ...] = CHOICES
    spent: int = 0
    rng: np.random.Generator = field(init=False)

    def __post_init__(self) -> None:
        self.rng = np.random.default_rng([7, self.seed])

    def draw(self) -> Genotype:
        """A random architecture."""
        return tuple(int(self.rng.integers(n)) for n in self.choices)

    def evaluate(self, genotype: Genotype, epochs: int) -> float:
        """Validation accuracy (percent) after training from scratch for so many epochs, which are taken off `left`."""
        if epochs > self.left:
            raise ValueError(f"{epochs} epochs asked for, {self.left} left")
        self.left -= epochs
        self.spent += epochs
        return accuracy(train(genotype, self.space, SEARCH, self.seed, epochs), "validation")


def final(genotype: Genotype, space: Space, seed: int) -> float:
    """Test accuracy (percent) after the whole recipe."""
    return accuracy(train(genotype, space, SEARCH, 1000 + seed), "test")
