"""CoderEval: reading verdicts, replaying them sample by sample, and the errors of bad files."""

import json

import pytest

from steelyard.benchmarks.code.codereval.benchmark import CoderEval
from steelyard.benchmarks.code.codereval.published import summarise
from steelyard.core.errors import InputError, MissingError
from steelyard.core.words import Status
from steelyard.pool import Pool
from steelyard.weigh import weigh


def line(_id="0a", language="Python", **changes):
    reasons = (
        {"return_code": [0] * 2 + [1] * 7} if language == "Python" else {"error": [""] * 2 + ["compile error"] * 7}
    )
    fact = {"language": language, "model": "M", "prompt": "raw_docstring", "_id": _id, "project": "a/b", "name": "f",
            "level": "slib_runnable", "is_pass": [True] * 2 + [False] * 7, **reasons}  # fmt: skip
    return {**fact, **changes}


def write(folder, *lines):
    path = folder / "verdicts.jsonl"
    path.write_text("\n".join(map(json.dumps, lines)))
    return str(path)


def test_a_sample_that_was_not_released_fails_or_is_left_out(tmp_path):
    data = write(tmp_path, line())
    for missing, (five, ten) in {"failed": (1 - 56 / 252, 1.0), "dropped": (1 - 21 / 126, None)}.items():
        bench = CoderEval(missing)
        (case,) = bench.cases(data)
        outcomes = [bench.replay("m", case, t) for t in range(11)]
        # 1 - C(8, 5)/C(10, 5) with the tenth failed, 1 - C(7, 5)/C(9, 5) without it; no pass@10 of nine samples
        assert outcomes[0].metrics["pass_at_5"] == pytest.approx(five)
        assert outcomes[0].metrics.get("pass_at_10") == ten
        assert [o.metrics.get("pass_at_1") for o in outcomes[:9]] == [1, 1, 0, 0, 0, 0, 0, 0, 0]
        assert outcomes[9].metrics.get("pass_at_1") == (0.0 if missing == "failed" else None)
        assert outcomes[9].status is (Status.OK if missing == "failed" else Status.UNSUPPORTED)
        assert outcomes[10].status is Status.UNSUPPORTED


def test_verdicts_are_weighed_without_a_gate(tmp_path):
    data = write(tmp_path, line(), line("0b", "Java", level="project_runnable"))
    with Pool(tmp_path / "pool") as pool:
        done = weigh("codereval", pool=pool, data=data)
        sql = "SELECT metric, sum(value) AS total FROM latest WHERE contender LIKE 'replay%' GROUP BY metric"
        total = {r["metric"]: r["total"] for r in pool.query(sql).to_pylist()}
    assert done.excluded == {}
    assert list(done.plan.contenders) == ["gold", "empty", "replay:m[prompt=raw_docstring]"]
    assert (total["pass_at_1"], total["pass_at_1_standalone"], total["compile_error"]) == (4, 2, 7)


def test_small_levels_are_marked_and_the_ratio_is_of_means():
    about = {str(i): {"language": "Java", "level": "self_contained" if i < 6 else "file_runnable", "standalone": i < 6,
                      "project": str(i)} for i in range(8)}  # fmt: skip
    passes = {str(i): [1.0, 0.0] if i < 6 else [1.0, 0.0, 0.0, 0.0] for i in range(8)}
    whole, easy, hard = summarise(passes, about, {"7": 2.0}, {"compile_error": {"7": [0.0, 1.0]}})
    assert (whole["tasks"], whole["n"], whole["standalone / other"]) == ("Java", "8", "2.00")
    assert whole["pass@5 %"] == "not available", "tasks of two samples"
    assert (whole["samples missing"], whole["failures"]) == (2, "compile error 1")
    assert whole["pass@1 % without"].startswith("46.88 "), "(6/2 + 1/4 + 1/2)/8"
    assert easy["n"] == "6"
    assert hard["n"] == "2 (too few to say)"
    assert hard["pass@1 %"].startswith("25.00 ")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"language": "C"}, "language is 'C'"),
        ({"level": "hard"}, "level is 'hard'"),
        ({"prompt": "short"}, "prompt is 'short'"),
        ({"is_pass": [1, 0]}, "no list of true and false"),
        ({"return_code": [0]}, "does not have an entry for each of 9"),
        ({"level": None}, "level is None"),
    ],
)
def test_bad_lines_are_named(tmp_path, change, said):
    with pytest.raises(InputError, match=said) as error:
        list(CoderEval().cases(write(tmp_path, line("0b"), line(**change))))
    assert "line 2" in error.value.what


def test_other_mistakes_are_named(tmp_path):
    with pytest.raises(InputError, match="has task python/0a twice"):
        list(CoderEval().cases(write(tmp_path, line(), line())))
    with pytest.raises(InputError, match="is class_runnable here, slib_runnable before"):
        list(CoderEval().cases(write(tmp_path, line(), line(model="N", level="class_runnable"))))
    with pytest.raises(MissingError, match="no such file"):
        list(CoderEval().cases(str(tmp_path)))
    with pytest.raises(InputError, match="missing is 'gone'"):
        CoderEval("gone")
    (case,) = CoderEval().cases(write(tmp_path, line()))
    with pytest.raises(InputError, match="unknown published run"):
        CoderEval().replay("gpt", case, 0)
    with pytest.raises(InputError, match="cannot be run"):
        CoderEval().prompt(case)


def test_options_of_a_replay_are_checked(tmp_path):
    data = write(tmp_path, line())
    with Pool(tmp_path / "pool") as pool:
        for spec, said in (("replay:m[prompts=x]", "unknown option"), ("replay:m[prompt=x]", "prompt is 'x'")):
            with pytest.raises(InputError, match=said):
                weigh("codereval", [spec], pool=pool, data=data)
