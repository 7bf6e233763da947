"""MultiCodeBench on our own tasks: the gate, what is taken out of answers, what they call, contexts, and bad input."""

import json
import math

import pytest

from steelyard import catalog
from steelyard.benchmarks.code.multicodebench.benchmark import MultiCodeBench
from steelyard.benchmarks.code.multicodebench.extraction import extract
from steelyard.benchmarks.code.multicodebench.interfaces import api_metrics
from steelyard.benchmarks.code.multicodebench.official import cleaned, official
from steelyard.benchmarks.code.multicodebench_domains.benchmark import Domains
from steelyard.benchmarks.code.static.languages import known, language
from steelyard.core.errors import InputError, MissingError
from steelyard.core.interfaces import Outcome, Replay
from steelyard.core.words import Status
from steelyard.stats.claims import check_claim
from tests.conftest import need


@pytest.fixture(autouse=True)
def _grammars():
    need("tree_sitter")


@pytest.fixture(scope="module")
def bench():
    return MultiCodeBench()


@pytest.fixture(scope="module")
def cases(bench):
    return {case.id.partition("/")[2]: case for case in bench.cases()}


def record(**changes):
    fields = {
        "domain": "Web", "instance_id": "00aa", "subclass": "React", "owner/repo": "o/r", "function_declaration": "inc(x) ",
        "start_line": "1", "end_line": "3", "file_path": "a.ts", "docstring": "Adds one.", "language": "TypeScript",
        "created_time": "", "commit_sha": "", "ground_truth": "inc(x) { return x + 1; }", "import_statements": "[]",
        "reference_api": "[]", "repo_defined_api_with_code": "[]", "third_party": "[]",
    }  # fmt: skip
    return fields | changes


def write(path, *records):
    path.write_text("".join(json.dumps(r) + "\n" for r in records), encoding="utf-8")
    return str(path)


def test_own_tasks_are_in_every_language_and_domain(cases):
    assert {case.payload.language for case in cases.values()} == set(known())
    assert len({case.payload.domain for case in cases.values()}) == 12


@pytest.mark.parametrize("profile", ["sound", "published"])
def test_every_reference_is_at_the_ceiling_and_no_answer_at_the_floor(cases, profile):
    bench = MultiCodeBench(profile=profile)
    for case in cases.values():
        gold = bench.score(case, bench.reference(case)).metrics
        assert gold["codebleu"] == 1.0, case.id
        assert gold["official_codebleu"] == pytest.approx(100.0)
        assert gold.get("api_recall", 1.0) == 1.0, case.id
        assert gold.get("hallucinated_api", 0.0) == 0.0, case.id
        empty = bench.score(case, "").metrics
        assert all(not value for name, value in empty.items() if name != "length_ratio"), case.id


def test_what_follows_the_declaration_is_at_the_ceiling_too(bench, cases):
    for case in cases.values():
        rest = bench.reference(case, route="completion")
        assert bench.score(case, rest, route="completion").metrics["codebleu"] == 1.0, case.id
        assert not rest.startswith(case.payload.signature)


def test_a_fence_costs_the_official_score_and_nothing_else(bench, cases):
    for case in cases.values():
        metrics = bench.score(case, bench.replay("fenced-reference", case, 0)).metrics
        assert metrics["codebleu"] == 1.0
        assert metrics["official_codebleu_extracted"] == pytest.approx(100.0)
        assert metrics["official_codebleu"] < 95.0
        assert metrics["fenced_or_repeated"] == 1.0


BODY = "\n    weights = expand_like(mask, values)\n    return (values * weights).sum(dim=0)"


@pytest.mark.parametrize(
    ("output", "rung", "why"),
    [
        (f"def masked_mean(values, mask):{BODY}", "heuristic", ""),
        (f"def masked_mean(values, mask){BODY}", "heuristic", "a colon added"),
        (BODY, "heuristic", "the declaration put before the body; a colon added"),
        (f"Sure!\n```python\ndef masked_mean(values,\n                mask):{BODY}\n```\nDone.", "fence", "a fence opened"),
        (f"```\nimport torch\n\ndef masked_mean(values, mask):{BODY}\n", "fence", "a fence opened; text before the declaration cut"),
        (f"def masked_mean(values, mask):{BODY}\n\n\ndef main():\n    print(1)\n", "heuristic", "text after the function cut"),
        (f"def average(values, mask):{BODY}", "heuristic", "a function with another declaration"),
        ("", "none", "no code in the answer"),
        ("def masked_mean(values, mask):\n", "none", "the declaration without a body"),
    ],
)  # fmt: skip
def test_the_function_is_found_in_an_answer(cases, output, rung, why):
    found = extract(cases["own02"].payload, output)
    assert (found.rung, found.why) == (rung, why)
    if found.text and "another declaration" not in why:
        assert found.text.split() == f"def masked_mean(values, mask):{BODY}".split()


def test_a_body_without_its_opening_brace_gets_one(cases):
    task = cases["own07"].payload
    found = extract(task, f"{task.declaration}    return ends.size();\n}}\n")
    assert found.text == f"{task.declaration} {{    return ends.size();\n}}"
    assert found.why == "an opening brace added"


def test_an_answer_far_too_long_is_cut_and_scored(bench, cases):
    reference = cases["own01"].payload.truth
    metrics = bench.score(cases["own01"], reference + "\n\n\ndef more():\n    return 0\n" * 8000).metrics
    assert metrics["codebleu"] == 1.0
    assert bench.score(cases["own01"], "f(" * 60000).metrics["ast_match"] < 0.1


def test_calls_against_those_of_the_reference(cases):
    task = cases["own18"].payload  # the reference calls filter, order_by, exists, Http404, render
    function = (
        f'{task.declaration}:\n    found = Article.objects.filter(year=year)\n    log(found)\n'
        '    return render(request, "a.html", {"articles": found})'
    )  # fmt: skip
    metrics = api_metrics(task, function)
    assert metrics["api_recall"] == 2 / 5  # filter, render
    assert metrics["api_precision"] == 2 / 3
    assert metrics["api_f1"] == pytest.approx(2 * 2 / (5 + 3))
    assert metrics["hallucinated_api"] == pytest.approx(1 / 3)  # log stands nowhere


def test_methods_of_held_values_and_open_imports_are_not_called_invented(cases):
    held = api_metrics(
        cases["own01"].payload, "def moving_average(series, window):\n    return series.rolling(window).mean()"
    )
    assert held["hallucinated_api"] == 0.0
    assert "hallucinated_api" not in api_metrics(cases["own10"].payload, "void f() { inventedCall(); }")


def test_official_rules_by_hand():
    # text behind len(declaration) characters: "a\n" and "b\n"; no character shared but the line end
    parts = official("python", "x = ", "x = a\n", "x = b\n")
    assert parts.bleu == 0.0  # the last line's end goes with cleaning, so nothing is shared
    assert parts.ast == 1.0  # names do not count
    same = official("python", "def f(x)", "def f(x):\n    return g(x)", "def f(x):\n    return g(x)")
    assert (same.bleu, same.ast, same.dataflow) == (1.0, 1.0, 1.0)
    # two whitespace tokens behind the cut `:` `return` `g(x)`: three, so no quadruple, which counts 0.1 of 1
    assert same.weighted == pytest.approx(0.1**0.25)
    assert official("c", "int f()", "int f() { return; }", "int f() { return; }").dataflow == 0.0  # none to be found


def test_official_cleaning_blanks_comments_and_takes_their_line_ends():
    python = language("python")
    assert cleaned(python, "def f():\n    '''Doc.'''\n    return 1  # one\n") == "def f():\n    return 1       "
    java = language("java")
    assert cleaned(java, "int a; /* one\ntwo */ int b;") == "int a; " + " " * 7 + " " * 6 + " int b;"


def test_contexts_differ_and_the_control_shows_another_task(bench, cases):
    case = cases["own16"]
    shown = {
        context: bench.prompt(case, context=context)[0].content
        for context in ("docstring", "import", "api", "dep", "api+dep")
    }
    assert len(set(shown.values())) == 5
    assert "geometry_msgs" in shown["import"]
    assert "self.readings_ahead" in shown["api"]
    assert "middle = len(scan.ranges)" in shown["dep"]
    assert "middle = len" in shown["api+dep"]
    assert "Twist" not in shown["docstring"]
    shuffled = bench.prompt(case, context="shuffled")[0].content
    assert "middle = len" not in shuffled
    assert "Code of the repository" in shuffled
    assert "def differences" in bench.prompt(cases["own01"], context="local-file")[0].content
    raw = bench.prompt(case, route="completion", context="dep")[0]
    assert raw.role == "raw"
    assert raw.content.endswith("\ndef on_scan(self, scan)")


def test_a_literal_backslash_n_in_a_docstring_is_a_line_end(bench, cases):
    assert "values of a series.\nA window below 1" in bench.prompt(cases["own01"])[0].content


def test_a_context_that_the_data_lack_or_that_does_not_exist(bench, cases):
    with pytest.raises(InputError, match=r"do not hold the file Purse.sol"):
        bench.prompt(cases["own03"], context="local-file")
    with pytest.raises(InputError, match="option 'context' is 'all'"):
        bench.prompt(cases["own03"], context="all")
    with pytest.raises(InputError, match="option 'profile' is 'old'"):
        MultiCodeBench(profile="old")


def test_bad_records_say_where_and_lose_nothing_else(tmp_path):
    bench = MultiCodeBench()
    path = write(
        tmp_path / "tasks.jsonl", record(), record(instance_id="2", language="COBOL"),
        record(instance_id="3", reference_api="['a', 'b'", import_statements="__import__('os').system('true')"),
    )  # fmt: skip
    cases = list(bench.cases(path))
    assert [case.id for case in cases] == ["Web/00aa", "Web/3"]
    assert cases[1].payload.api == cases[1].payload.imports == ()
    assert [note.partition(": ")[2] for note in bench.notes] == [
        "language 'COBOL' is not one of the fifteen; the task is left out",
        "field 'import_statements' is no list; it is taken as empty",
        "field 'reference_api' is no list; it is taken as empty",
    ]
    with pytest.raises(InputError, match="line 2: instance_id '00aa' stands twice in Web"):
        list(bench.cases(write(tmp_path / "twice.jsonl", record(), record())))
    with pytest.raises(InputError, match="line 1: field 'language' is missing"):
        list(bench.cases(write(tmp_path / "short.jsonl", {k: v for k, v in record().items() if k != "language"})))
    (tmp_path / "empty").mkdir()
    with pytest.raises(MissingError, match="holds no tasks"):
        list(bench.cases(str(tmp_path / "empty")))


def test_the_released_layout_of_one_file_a_domain(tmp_path):
    unnamed = {k: v for k, v in record().items() if k != "domain"}
    (tmp_path / "Web.json").write_text(json.dumps([unnamed]), encoding="utf-8")
    (tmp_path / "Game.json").write_text(json.dumps([unnamed]), encoding="utf-8")
    assert [case.id for case in MultiCodeBench().cases(str(tmp_path))] == ["Game/00aa", "Web/00aa"]


def test_published_scores_and_outputs_are_replayed(tmp_path):
    write(tmp_path / "tasks.jsonl", record(), record(instance_id="2"))
    write(
        tmp_path / "codebleu_scores.jsonl",
        {"model": "M", "domain": "Web", "instance_id": "00aa", "scores": [10.0, 20.0]},
    )
    write(
        tmp_path / "generations.jsonl",
        {"model": "M", "domain": "Web", "instance_id": "00aa", "generation_result": [{"code": "inc(x) {}"}]},
    )
    bench = MultiCodeBench()
    first, second = bench.cases(str(tmp_path))
    assert bench.contenders_in(str(tmp_path)) == ["replay:M", "replay:M-outputs", "replay:fenced-reference"]
    published = bench.replay("M", first, 1)
    assert isinstance(published, Outcome)
    assert (published.metrics, published.provenance) == ({"official_codebleu": 20.0}, "published")
    assert bench.replay("M-outputs", first, 0) == "inc(x) {}"
    for name, case, trial in (("M", second, 0), ("M", first, 2), ("M-outputs", first, 1)):
        assert bench.replay(name, case, trial).status is Status.UNSUPPORTED
    with pytest.raises(InputError, match="unknown replay 'N'"):
        bench.replay("N", first, 0)
    strict = MultiCodeBench(profile="published")
    first, _ = strict.cases(str(tmp_path))
    assert strict.replay("M", first, 0).metrics == {"official_codebleu": 10.0, "codebleu": 0.1}
    write(tmp_path / "codebleu_scores.jsonl", {"model": "M", "domain": "Web", "instance_id": "00aa", "scores": [101]})
    with pytest.raises(InputError, match="field 'scores' is no list of numbers from 0 to 100"):
        list(bench.cases(str(tmp_path)))


def test_domains_by_hand(tmp_path):
    tasks, scores = [], []
    for domain, values in (("Web", {"A": 10.0, "B": 40.0}), ("Game", {"A": 30.0, "B": 20.0})):
        for at in range(10):
            tasks.append(record(domain=domain, instance_id=str(at), **{"owner/repo": f"{domain}/{at}"}))
            for model, value in values.items():
                row = {
                    "model": model,
                    "domain": domain,
                    "instance_id": str(at),
                    "scores": [value + at, value - at, value],
                }
                scores.append(row)
    write(tmp_path / "tasks.jsonl", *tasks)
    write(tmp_path / "codebleu_scores.jsonl", *scores)
    bench = Domains()
    cases = {case.id: case for case in bench.cases(str(tmp_path))}
    of = {name: bench.measure(Replay(name), cases["all"], 0).metrics for name in ("A", "B", "table")}
    assert bench.measure(Replay("A"), cases["Web"], 0).metrics == {"official_codebleu": 10.0}
    assert (of["A"]["official_codebleu"], of["A"]["domain_spread"]) == (20.0, 20.0)
    assert (of["A"]["domains_led_by_another"], of["B"]["domains_led_by_another"]) == (1.0, 1.0)
    assert 0 < of["A"]["chance_spread"] < 20.0
    assert (of["table"]["tasks"], of["table"]["domains"], of["table"]["complete_models"]) == (20.0, 2.0, 2.0)
    assert bench.measure(Replay("A"), cases["Web"], 1).metrics["official_codebleu"] == pytest.approx(
        10.0
    )  # all are equal
    with pytest.raises(InputError, match="unknown replay 'C'"):
        bench.measure(Replay("C"), cases["Web"], 0)


def test_summary_gives_means_by_domain_with_n_and_correlations(bench):
    values = {"Web/1": 10.0, "Web/2": 30.0, "Game/1": 50.0}
    found = bench.summary(lambda metric: values if metric in ("official_codebleu", "bleu") else {})
    assert found == {
        "official_codebleu": 30.0,
        "Web": "20.0 (n=2)",
        "Game": "50.0 (n=1)",
        "tau with bleu": pytest.approx(1.0),
    }
    assert bench.summary(lambda metric: {}) == {}


@pytest.mark.parametrize("name", ["multicodebench", "multicodebench-domains"])
def test_the_cards(name):
    entry = catalog.benchmark(name)
    card = entry.full()
    for claim in card.claims:
        expect, *_ = check_claim(claim, claim.where)
        assert {claim.metric, *(key for _, key in expect.reads if key)} <= set(card.metric), claim.id
    bench = entry.load()()
    case = next(iter(bench.cases(None)))
    result = bench.score(case, "x") if name == "multicodebench" else bench.measure(Replay("table"), case, 0)
    assert set(result.metrics) <= set(card.metric)
    assert all(math.isfinite(v) for v in result.metrics.values())
