"""ExecRepoBench: masks, context, similarity, prompts, what is scored and what is refused."""

import json
import math
import shutil
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from steelyard.benchmarks.code.execrepobench import building, context, masks, prompts, similarity
from steelyard.benchmarks.code.execrepobench.benchmark import ExecRepoBench, repeats
from steelyard.benchmarks.code.execrepobench.gaps import NAME, Gap, read_gaps, written
from steelyard.benchmarks.code.repositories.project import laid_out
from steelyard.benchmarks.code.repositories.tracing import Trace
from steelyard.contenders.generators.bm25_line import Bm25Line
from steelyard.contenders.generators.copy_nearest_line import CopyNearestLine
from steelyard.contenders.generators.mutated_reference import MutatedReference
from steelyard.contenders.generators.ngram import NGram
from steelyard.core.errors import InputError, MissingError
from steelyard.core.words import Case, Status
from tests.conftest import need

SOURCE = """import os


def über(paths):
    result = []
    for path in paths:
        if os.path.exists(path):
            result.append(path)
    return result


class Walker:
    def walk(self, size):
        while size > 1:
            size = size // 2
        return size
"""


def test_each_fill_type_takes_what_it_says():
    rng = np.random.RandomState(1)
    drawn = [(at, masks.draw(SOURCE, at, rng)) for at in list(range(9)) * 20 + list(range(9, 400))]
    for at, mask in drawn:
        middle = SOURCE[mask.start : mask.end]
        if at < 3:
            assert mask.fill_type == masks.LINE
            assert middle in SOURCE.split("\n")
        elif at < 6:
            assert mask.fill_type == masks.LINES
            assert middle.count("\n") < 10
            assert mask.start == 0 or SOURCE[mask.start - 1] == "\n"
        elif at < 9:
            assert mask.fill_type == masks.SPAN
            assert len(middle) <= 30
        else:
            assert mask.fill_type == masks.level(mask.node)
    whole = [SOURCE[m.start : m.end] for at, m in drawn if m.node == "while_statement"]
    assert set(whole) == {"while size > 1:\n            size = size // 2"}, (
        "places are characters, though ü has two bytes"
    )


def test_types_are_drawn_by_their_weights_among_those_that_the_file_has():
    text = "x = 1\nimport os\nfor a in b: pass\n" + "y\n" * 30
    counts = Counter()
    rng = np.random.RandomState(1)
    for _ in range(4000):
        mask = masks.draw(text, 9, rng)
        counts[next(kind for end, kind in ((5, "x"), (15, "import"), (32, "for"), (999, "y")) if mask.start < end)] += 1
    # assignment .05 and expression statement .05 (31 of them, one holds the assignment), import .10, for .15: sum .35
    assert counts["import"] / 4000 == pytest.approx(0.10 / 0.35, abs=0.03)
    assert counts["for"] / 4000 == pytest.approx(0.15 / 0.35, abs=0.03)


def test_the_level_of_a_node():
    assert masks.level("if_statement") == masks.level("class_definition") == masks.BLOCK
    assert masks.level("import_from_statement") == masks.level("return_statement") == masks.STATEMENT
    assert {masks.level(t) for t in ("identifier", "attribute", "=", "assignment", "expression_statement")} == {
        masks.EXPRESSION
    }


@pytest.mark.parametrize(
    ("middle", "why"),
    [
        ("  ten chars_ ", "no more than 10"), ("eleven_char", ""), ("a" * 511, ""), ("a" * 512, "512 characters"),
        ("return value # why", "a comment"), ("seen before", "repeats"),
    ],
)  # fmt: skip
def test_what_is_rejected(middle, why):
    found = masks.rejected(middle, {"seen before"})
    assert why in found
    assert bool(why) == bool(found)


def test_bm25_by_hand():
    # N 2, mean length 3; "a": n 1, idf ln(1.5 / 1.5 + 1) = ln 2; "b": n 2, idf ln(0.5 / 2.5 + 1) = ln 1.2
    first = math.log(2) * 2 * 2.5 / (2 + 1.5 * (0.25 + 0.75 * 4 / 3)) + math.log(1.2) * 2.5 / (
        1 + 1.5 * (0.25 + 0.75 * 4 / 3)
    )
    second = math.log(1.2) * 2.5 / (1 + 1.5 * (0.25 + 0.75 * 2 / 3))
    assert context.bm25(["a", "b"], [["a", "a", "b", "c"], ["b", "d"]]) == pytest.approx([first, second])
    assert context.bm25(["a"], []) == []


def test_imported_files_come_before_similar_ones():
    files = [("p/other.py", "alpha beta"), ("p/units.py", "zeta"), ("p/none.py", "beta eta")]
    assert [p for p, _ in context.ranked("from .units import x\nalpha beta", files)] == [
        "p/units.py",
        "p/other.py",
        "p/none.py",
    ]
    assert context.relevance("alpha", files) == pytest.approx([1, 0, 0])
    assert context.imported("import a.b as c\nfrom .d import e, f\n") == {"b", "d", "e", "f"}
    assert context.imported("import a.b as c\nfrom .d import e\nx = (") == {"b", "d"}, (
        "of a broken file the modules alone"
    )


def test_close_puts_the_best_file_next_to_the_gap():
    files = [("best", "x" * 35), ("next", "y" * 35)]
    assert context.packed(files, 100, "close") == files[::-1]
    assert context.packed(files, 100, "far") == files
    assert context.packed(files, 15, "close") == files[:1]


@pytest.mark.parametrize(
    ("output", "reference", "sound", "published"),
    [
        ("abc", "abd", 2 * 2 / 6, 0.67),
        ("  x = 1\n\n\n", "x = 1", 1, 1),
        ('"""words"""\ny', "y", 1, 1),
        ("", "x", 0, 0),
        ("", "", 1, 0),
        ("'''only words'''", "", 1, 0),
    ],
)
def test_edit_similarity(output, reference, sound, published):
    assert similarity.edit_similarity(output, reference) == pytest.approx(sound)
    assert similarity.edit_similarity(output, reference, published=True) == published


def test_agreement_of_similarity_and_verdict():
    from sklearn.metrics import roc_auc_score

    x, y = [0.1, 0.4, 0.4, 0.8, 0.9, 1.0], [0, 1, 0, 0, 1, 1]
    found = similarity.agreement(x, y)
    assert found["es_pass_auc"] == pytest.approx(roc_auc_score(y, x))
    assert found["es_pass_correlation"] == pytest.approx(np.corrcoef(x, y)[0, 1])
    assert found["es_misjudges_at_best"] == pytest.approx(1 / 6), "with 0.9 only the one that passes at 0.4 is wrong"
    assert similarity.agreement(x, [1] * 6) == {}


GAP = Gap(
    "r", "p/a.py", "from .b import f\n\n\ndef g(x):\n    ", "return f(x) + 1", "\n\n\ndef h():\n    pass\n",
    masks.STATEMENT, given=(("p/b.py", "def f(x):\n    return x\n"), ("p/c.py", "zzz\n")),
)  # fmt: skip
BENCH = ExecRepoBench()


def asked(**options):
    (message,) = BENCH.prompt(Case("c", GAP), **options)
    return message.role, message.content


def test_the_prompt_of_each_family():
    role, text = asked(route="completion", fill="qwen", context="none")
    assert role == "raw"
    assert (
        text
        == f"<|repo_name|>r\n<|file_sep|>p/a.py\n<|fim_prefix|>{GAP.prefix}<|fim_suffix|>{GAP.suffix}<|fim_middle|>"
    )
    for fill, marks in (
        ("deepseek", ("begin", "hole", "end")),
        ("starcoder", ("prefix", "suffix", "middle")),
        ("codellama", ("PRE", "SUF", "MID")),
    ):
        _, text = asked(route="completion", fill=fill)
        assert sorted(text.index(m) for m in marks) == [text.index(m) for m in marks]
        assert text.index("zzz") < text.index("return x") < text.index("def g(x)")
    _, text = asked(route="completion", fill="comment", order="far")
    assert text.endswith(GAP.prefix)
    assert "# def h():\n#     pass" in text
    assert text.index("return x") < text.index("zzz")
    role, text = asked()
    assert (role, [text.index(h) for h in ("## Context", "## Prefix", "## Suffix", "## Middle")]) == (
        "user", sorted(text.index(h) for h in ("## Context", "## Prefix", "## Suffix", "## Middle")))  # fmt: skip
    assert GAP.middle not in text


def test_the_middle_ranks_files_only_where_it_is_asked_for():
    gap = Gap(
        "r",
        "a.py",
        "x = 1\n",
        "needle",
        "\ny = 2\n",
        masks.LINE,
        given=(("one.py", "x y"), ("two.py", "needle needle")),
    )
    with_it = Gap(**{f: getattr(gap, f) for f in Gap.__dataclass_fields__} | {"given": gap.given[::-1]})
    assert [p for p, _ in with_it.files] == ["one.py", "two.py"]
    assert prompts.parts(with_it, "with-middle", "far", with_it, 8192, 4096, 512)[0][0][0] == "two.py"


def test_the_control_shows_files_of_another_repository():
    bench = ExecRepoBench()
    case, other = (next(c for c in bench.cases() if c.group == name) for name in ("pantry", "railmap"))
    mine, shuffled = (bench.prompt(case, route="completion", context=c)[0].content for c in ("repository", "shuffled"))
    alone = bench.prompt(case, route="completion", context="none")[0].content
    assert mine.endswith(alone)
    assert shuffled.endswith(alone)
    theirs = [path for path, _ in other.payload.files]
    assert theirs
    assert all(f"# {path}\n" in shuffled.removesuffix(alone) for path in theirs)


def test_a_prompt_keeps_its_budget():
    long = Gap("r", "a.py", "p" * 99_000, "m", "s" * 99_000, masks.LINE, given=(("b.py", "line\n" * 9000),))
    files, before, after = prompts.parts(long, "without-middle", "close", long, 8192, 4096, 512)
    assert (len(before), len(after)) == (3584 // 2 * 3.5, 3584 // 2 * 3.5)
    assert before + after == "p" * len(before) + "s" * len(after)
    assert 4000 * 3.5 < len(files[0][1]) <= 4096 * 3.5
    with pytest.raises(InputError, match="leaves no room"):
        ExecRepoBench(window=4096)


def test_the_middle_of_an_answer():
    case = Case("c", replace(GAP, prefix=GAP.prefix + "y = 1\n    "))
    for output in ("Sure:\n```python\nreturn f(x) + 1\n```\nDone.", "```\n    return f(x) + 1\n```", "return f(x) + 1"):
        assert BENCH.program(case, output) == "return f(x) + 1"
    assert BENCH.program(case, "```python\n```") == ""
    assert BENCH.program(case, "```py\nx = '```'\n") == "x = '```'"
    assert BENCH.program(case, "  as it is ", route="completion") == "  as it is "


def test_going_on_into_the_suffix_is_told():
    assert repeats("return 1\n\n\ndef h():", GAP.suffix)
    assert repeats("return 1\ndef h():\n    pass", GAP.suffix)
    assert not repeats("return 1", GAP.suffix)
    assert not repeats(")", ")\nx")


def test_without_its_repository_a_gap_has_a_similarity_and_no_verdict(tmp_path):
    record = {"repo_name": "r", "file_name": "a.py", "prefix_code": "a = 1\n", "middle_code": "bb = 2222", "suffix_code": "\n",
              "fill_type": masks.LINE, "context_code": [["b.py", "x"]]}  # fmt: skip
    (tmp_path / NAME).write_text(json.dumps(record) + "\n")
    bench = ExecRepoBench()
    (case,) = bench.cases(str(tmp_path))
    assert "similarity only" in bench.notes[0]
    assert bench.reference(case).status is Status.UNSUPPORTED
    assert bench.score(case, "bb = 2222").metrics["edit_similarity"] == 1
    assert "pass_at_1" not in bench.score(case, "bb = 2222").metrics


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"fill_type": "line"}, "fill_type is 'line'"),
        ({"tests": ["no id"]}, "no list of test ids"),
        ({"file_name": "../a.py"}, "no path below"),
        ({"context_code": "b"}, "context_code"),
        ({"prefix_code": "changed"}, "not the text of pantry/units.py"),
        ({"middle_code": 3}, "middle_code"),
    ],
)
def test_bad_records_are_named(tmp_path, change, says):
    record = json.loads((BENCH.own / NAME).read_text().split("\n")[0])
    record = record | {"file_name": "pantry/units.py"} | change
    (tmp_path / NAME).write_text("\n" + json.dumps(record) + "\n")
    (tmp_path / "repositories").symlink_to(BENCH.own / "repositories")
    with pytest.raises(InputError) as error:
        list(ExecRepoBench().cases(str(tmp_path)))
    assert says in str(error.value)
    assert f"{NAME}, line 2" in str(error.value)


def test_a_slice_that_is_not_here_is_named():
    with pytest.raises(MissingError, match="has not been built"):
        list(ExecRepoBench(slice="nowhere").cases())
    with pytest.raises(InputError, match="nothing to build"):
        BENCH.build(None, None)
    with pytest.raises(InputError, match="no recipe"):
        BENCH.build(None, None, recipe="nowhere")


def test_our_own_gaps_pass_with_their_middle_and_no_other():
    need("bwrap")
    cases = list(BENCH.cases())
    assert len(cases) == 24
    assert {c.attributes["fill_type"] for c in cases} == set(masks.FILL_TYPES)
    for case in cases[::8]:
        right = BENCH.score(case, BENCH.reference(case)).metrics
        assert (right["pass_at_1"], right["exact_match"], right["misjudged"]) == (1, 1, 0)
        raw = BENCH.reference(case, route="completion")
        assert BENCH.program(case, raw, route="completion") == BENCH.program(case, BENCH.reference(case))
        for wrong in ("", f"```python\n{case.payload.fragment}\n```"):
            assert BENCH.score(case, wrong).metrics["pass_at_1"] == 0
    broken = BENCH.score(cases[0], "```python\n)))(((\n```")
    assert broken.metrics["compile_error"] == 1
    assert "syntax" in broken.error


def hand_traced(project):
    tests = ("tests/test_units.py::test_pretty",)
    text = project.source("pantry/units.py")
    return Trace(tests, {}, {"pantry/units.py": dict.fromkeys(range(1, text.count("\n") + 1), tests)}, 1.0)


def test_drawing_gaps_is_repeatable_and_follows_the_rules(tmp_path):
    shutil.copytree(BENCH.own / "repositories" / "pantry", tmp_path / "pantry")
    project = laid_out(tmp_path / "pantry", "pantry")
    found = building.drawn_gaps(project, hand_traced(project), seed=1)
    assert found == building.drawn_gaps(project, hand_traced(project), seed=1)
    assert found != building.drawn_gaps(project, hand_traced(project), seed=2)
    middles = [gap.middle for gap in found]
    assert len(set(middles)) == len(middles) > 20
    for gap in found:
        assert gap.path == "pantry/units.py", "no test runs a line of the other files"
        assert gap.filled(gap.middle) == project.source(gap.path)
        assert not masks.rejected(gap.middle, set())
    pairs = building.instructions(project, found, seed=1)
    assert pairs
    assert "pantry/units.py" not in {pair["file"] for pair in pairs}, "no pair is made from a file that holds a gap"


def test_a_recipe_names_gaps_and_holds_no_code(tmp_path):
    shutil.copytree(BENCH.own / "repositories" / "pantry", tmp_path / "pantry")
    project = laid_out(tmp_path / "pantry", "pantry")
    traced = hand_traced(project)
    found = building.drawn_gaps(project, traced, seed=1)
    named = [building._named(gap) for gap in found]
    assert building._named_gaps(project, traced, named) == found
    assert not any("return" in str(part) for name in named for part in name)
    with pytest.raises(InputError, match="not the file of the recipe"):
        building._named_gaps(project, traced, [[*named[0][:4], "0" * 16, *named[0][5:]]])


def test_what_is_written_is_read_again(tmp_path):
    gaps = read_gaps(BENCH.own, [])
    (tmp_path / NAME).write_text(written(gaps))
    (tmp_path / "repositories").symlink_to(BENCH.own / "repositories")
    assert [g.id for g in read_gaps(tmp_path, [])] == [g.id for g in gaps]


class Pooled:
    """What `summary` asks of the pool, from two dictionaries."""

    def __call__(self, metric):
        return {"edit_similarity": {"a": 1.0, "b": 0.0}, "pass_at_1": {"a": 0.0, "b": 0.0}}[metric]

    def attributes(self, metric):
        return {"a": {"fill_type": masks.LINE}, "b": {"fill_type": masks.SPAN}}


def test_the_released_table_swaps_its_columns():
    sound, published = (ExecRepoBench(profile=p).summary(Pooled()) for p in ("sound", "published"))
    assert [(r["fill_type"], r["n"], r["ES"], r["pass@1"]) for r in sound[:2]] == [
        ("all", 2, 50, 0),
        (masks.LINE, 1, 100, 0),
    ]
    assert (published[1]["ES"], published[1]["pass@1"]) == (0, 100)


def test_fillers_that_need_no_model():
    case = Case("c", Gap(
        "r", "a.py", "def load(path):\n    data = read(path)\n    ", "check(data)", "\n    return data\n", masks.LINE,
        given=(("b.py", "def store(path):\n    data = read(path)\n    check(data)\n    return data\n"),),
    ))  # fmt: skip
    assert CopyNearestLine().answer(case, 0) == "check(data)"
    assert Bm25Line(around=2).answer(case, 0) == "check(data)"
    assert NGram().answer(case, 0) == "check(data)"
    within = Case(
        "c", Gap("r", "a.py", "x = rea", "d(path)", "\n", masks.SPAN, given=(("b.py", "x = read(path)\ny = 1\n"),))
    )
    assert CopyNearestLine().answer(within, 0) == "d(path)"
    assert MutatedReference().answer(case, 0) == MutatedReference().answer(case, 0) != "check(data)"
    with pytest.raises(InputError, match="is no gap"):
        NGram().answer(Case("c", None), 0)
