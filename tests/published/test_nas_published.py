"""The study's own tables and curves, recomputed (arXiv:1912.12522, antoyang/NAS-Benchmark)."""

import numpy as np
import pytest

from steelyard.benchmarks.training.nas.benchmark import NAS
from steelyard.benchmarks.training.nas.published_runs import best, early, read_curves, tau
from steelyard.benchmarks.training.nas.tables import read_ladder, read_sheets
from steelyard.contenders.analysis.ri import RelativeImprovement
from steelyard.core.interfaces import Replay

RI = {
    "DARTS": (0.32, 0.23, -0.13, 0.10, 0.20), "PDARTS": (0.52, 2.00, 0.51, 1.19, 0.25),
    "NSGANET": (-0.48, 1.37, 0.43, 2.00, 1.47), "ENAS": (0.01, -3.44, 0.67, 0.13, 0.47),
    "CNAS": (0.74, -0.89, -1.06, -0.66, -2.48), "MANAS": (0.18, -0.20, 0.33, 1.48, 0.70),
    "StacNAS": (0.43, None, 0.38, 0.05, -0.16), "NAO": (0.44, -0.01, -2.05, -1.53, -0.13),
}  # fmt: skip
DATASETS = ("CIFAR10", "CIFAR100", "Sport8", "MIT67", "Flowers102")
SIGNIFICANT = {
    ("CIFAR10", "DARTS"): 0.006, ("CIFAR10", "PDARTS"): 0.002, ("CIFAR10", "MANAS"): 0.049, ("CIFAR10", "StacNAS"): 0.010,
    ("CIFAR100", "PDARTS"): 0.001, ("CIFAR100", "ENAS"): 0.000, ("MIT67", "NSGANET"): 0.024, ("MIT67", "MANAS"): 0.000,
    ("MIT67", "PDARTS"): 0.017, ("Flowers102", "CNAS"): 0.009, ("Flowers102", "MANAS"): 0.006,
}  # fmt: skip


@pytest.fixture(scope="module")
def folder(shared):
    path = shared / "data" / "nas-evaluation"
    if not path.is_dir():
        pytest.skip(f"{path} is not here")
    return path


@pytest.fixture(scope="module")
def curves(folder):
    return read_curves(folder)


@pytest.fixture(scope="module")
def gains(folder):
    return {(s.name, m): g for s in read_sheets(folder) for m, g in RelativeImprovement()(s).items()}


def test_relative_improvements_by_name(gains):
    assert len(gains) == 39
    for method, row in RI.items():
        for dataset, value in zip(DATASETS, row, strict=True):
            if value is not None:
                assert round(gains[dataset, method].improvement, 2) == pytest.approx(value), (dataset, method)


def test_significance(gains):
    found = {key: g.welch_p for key, g in gains.items() if g.welch_p < 0.05}
    assert set(found) == set(SIGNIFICANT)
    for key, p in SIGNIFICANT.items():
        assert found[key] == pytest.approx(p, abs=5.1e-4), key


def test_after_holm_two_cells_are_above_random(folder):
    bench = NAS()
    kept = [
        case.id for case in bench.cases(str(folder)) if case.attributes["kind"] == "cell"
        and bench.measure(Replay("searched"), case, 0).metrics.get("significant_improvement_holm")
    ]  # fmt: skip
    assert sorted(kept) == ["CIFAR100/PDARTS", "MIT67/MANAS"]


def test_the_notebook_swaps_two_columns_on_flowers(folder):
    for sheet in read_sheets(folder):
        named, placed = (RelativeImprovement(columns=c)(sheet) for c in ("by-name", "by-position"))
        differ = {m for m in named if m in placed and named[m].improvement != placed[m].improvement}
        assert differ == ({"DARTS", "PDARTS"} if sheet.name == "Flowers102" else set())
    flowers = next(s for s in read_sheets(folder) if s.name == "Flowers102")
    placed = RelativeImprovement(columns="by-position")(flowers)
    assert [round(placed[m].improvement, 2) for m in ("DARTS", "PDARTS")] == [0.25, 0.20]


def test_the_recipe_ladder(folder):
    ladder = read_ladder(folder)
    means = [94.956, 95.036, 95.934, 96.391, 96.845, 96.999, 97.236, 97.309, 97.648, 97.871]
    assert [float(ladder.column(c).mean()) for c in ladder.columns] == pytest.approx(means, abs=5.1e-4)


def test_spread_of_random_architectures(curves):
    c, modified = curves["214_random_architectures"], curves["56_random_mod_architectures"]
    top, last = best(c), c[:, -1]
    assert (top.mean(), top.std(ddof=1), top.min(), top.max()) == pytest.approx((97.034, 0.227, 96.18, 97.56), abs=6e-4)
    assert (last.mean(), last.std(ddof=1), last.min(), last.max()) == pytest.approx(
        (96.949, 0.233, 96.03, 97.41), abs=6e-4
    )
    assert (best(modified).mean(), best(modified).std(ddof=1), best(modified).max()) == pytest.approx(
        (96.847, 0.293, 97.42), abs=6e-4
    )


def test_depth_and_seeds(curves):
    cells = {4: 95.667, 6: 96.511, 8: 96.685, 12: 96.932, 16: 96.980, 20: 96.986, 24: 97.008}
    for n, mean in cells.items():
        assert best(curves[f"cell_n_{n}"]).mean() == pytest.approx(mean, abs=6e-4)
    assert tau(curves["8_to_20_cells"]) == pytest.approx(0.535, abs=6e-4)
    assert tau(curves["different_seed_24"]) == pytest.approx(0.583, abs=6e-4)


def test_early_epochs(curves):
    c = curves["214_random_architectures"]
    for epoch, value in ((50, 0.283), (100, 0.270), (300, 0.365), (450, 0.573), (550, 0.778)):
        assert early(c, epoch)["tau_with_last"] == pytest.approx(value, abs=6e-4)
    assert early(c, 300)["tau_with_last_smoothed"] == pytest.approx(0.487, abs=6e-4)


def test_folds_have_the_records_as_their_mean(folder, curves):
    bench = NAS(part="records")
    cases = [c for c in bench.cases(str(folder)) if c.attributes.get("folds") == 24]
    values = [bench.measure(Replay("two-seeds"), c, 0).metrics["kendall_tau"] for c in cases]
    assert np.mean(values) == pytest.approx(tau(curves["different_seed_24"]))
    points = [bench.measure(Replay("cells-4-to-20"), c, 0).metrics["accuracy_points"] for c in cases]
    assert np.mean(points) == pytest.approx(96.986 - 95.667, abs=1.2e-3)
