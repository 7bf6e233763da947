"""Logs that Inspect itself writes here, on its mock model: what comes in has the means that Inspect computed."""

from __future__ import annotations

import json
import statistics
from pathlib import Path

import pytest

from steelyard.pool import Pool
from tests.importers.taking import LOWER, bring, rows


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The same small task, logged in both formats: two epochs, two scorers of letters, one of numbers; q3 breaks."""
    from inspect_ai import Task, eval
    from inspect_ai.dataset import MemoryDataset, Sample
    from inspect_ai.model import ModelOutput, ModelUsage, get_model
    from inspect_ai.scorer import Score, includes, match, mean, scorer
    from inspect_ai.solver import generate, solver

    @scorer(metrics=[mean()])
    def length():  # type: ignore[no-untyped-def]
        async def score(state, target):  # type: ignore[no-untyped-def]
            return Score(value=float(len(state.output.completion)))

        return score

    @solver
    def stumble():  # type: ignore[no-untyped-def]
        async def solve(state, generate):  # type: ignore[no-untyped-def]
            if state.sample_id == "q3":
                raise ValueError("the third stone")
            return state

        return solve

    def say(text: str) -> ModelOutput:
        out = ModelOutput.from_content("mockllm/model", text)
        out.usage = ModelUsage(input_tokens=5, output_tokens=2, total_tokens=7)
        return out

    samples = [
        Sample(id=f"q{i}", input=f"What is {i} plus 1?", target=str(i + 1), metadata={"level": i % 2, "tags": ["x"]})
        for i in range(4)
    ]
    made = {}
    for form in ("eval", "json"):
        task = Task(
            dataset=MemoryDataset(samples), solver=[stumble(), generate()], scorer=[match(), includes(), length()],
            name="adds", version=2, epochs=2, fail_on_error=False,
        )  # fmt: skip
        model = get_model("mockllm/model", custom_outputs=[say(f"{i % 3 + 1}") for i in range(20)], memoize=False)
        folder = tmp_path_factory.mktemp(form)
        [log] = eval(task, model=model, log_dir=str(folder), log_format=form, display="none", temperature=0.5,
                     max_samples=1)  # fmt: skip
        assert log.results is not None
        means = {s.name: next(iter(s.metrics.values())).value for s in log.results.scores}
        (folder.parent / f"{form}-means.json").write_text(json.dumps(means))
        [made[form]] = folder.iterdir()
    return made


@pytest.mark.parametrize("form", ["eval", "json"])
def test_the_numbers_are_those_that_inspect_reports(logs: dict[str, Path], form: str, tmp_path: Path) -> None:
    with Pool(tmp_path) as pool:
        told = bring(pool, logs[form], directions=[("length", LOWER)])
        means = json.loads((logs[form].parent.parent / f"{form}-means.json").read_text())
        assert set(means) == {"match", "includes", "length"}
        for metric, mean in means.items():
            values = rows(pool, f"SELECT value FROM latest WHERE metric = '{metric}' AND status = 'ok'")
            assert len(values) == 6
            assert statistics.fmean(v for (v,) in values) == pytest.approx(mean)
        assert told.benchmarks[0] == {
            "benchmark": "adds",
            "version": "inspect-2",
            "rows": 32,
            "cases": 4,
            "contenders": 1,
        }
        broken = rows(pool, "SELECT DISTINCT \"case\", status, error, metric FROM latest WHERE status <> 'ok'")
        assert [(c, s, m) for c, s, _, m in broken] == [("q3", "failed", "match")]
        assert "the third stone" in broken[0][2]
        [attributes] = rows(pool, "SELECT DISTINCT case_attributes FROM latest WHERE \"case\" = 'q1'")
        assert json.loads(attributes[0]) == {"text": "What is 1 plus 1?", "target": "2", "level": 1}
        [(who, output)] = rows(
            pool, "SELECT contender, artifacts FROM latest WHERE \"case\" = 'q0' AND metric = 'match' AND trial = 0"
        )
        assert who == "mockllm/model[temperature=0.5]"
        assert pool.get_blob(json.loads(output)["output"]) == b"1"
        assert {m["metric"] for m in told.metrics} >= {"input_tokens", "output_tokens"}


def test_both_formats_give_the_same_numbers_and_unknown_scorers_must_be_declared(
    logs: dict[str, Path], tmp_path: Path
) -> None:
    from steelyard.core.errors import InputError

    found = []
    for form, path in logs.items():
        with Pool(tmp_path / form) as pool:
            with pytest.raises(InputError, match="not known of length"):
                bring(pool, path)
            bring(pool, path, directions=[("length", LOWER)])
            found.append(rows(pool, 'SELECT "case", trial, metric, value, case_attributes FROM latest ORDER BY ALL'))
    assert [repr(r) for r in found[0]] == [repr(r) for r in found[1]]  # by repr: the failures are NaN


def test_a_log_cut_short_is_an_error_not_half_an_import(logs: dict[str, Path], tmp_path: Path) -> None:
    from steelyard.core.errors import InputError

    for form, path in logs.items():
        cut = tmp_path / f"cut.{form}"
        cut.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
        with Pool(tmp_path / "pool") as pool:
            with pytest.raises(InputError, match="cut"):
                bring(pool, cut, "inspect", directions=[("*", LOWER)])
            assert rows(pool, "SELECT count(*) FROM measurements") == [(0,)]
