"""EvoCodeBench: prompts, post-processing, recall, aggregates and a slice built from an index on this machine."""

import io
import json
import tarfile
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from steelyard.benchmarks.code import budget
from steelyard.benchmarks.code.evocodebench import ages, domains, extraction, prompts, texts
from steelyard.benchmarks.code.evocodebench.benchmark import EvoCodeBench, recall_at_k
from steelyard.core.errors import InputError, MissingError
from steelyard.weigh.progress import Silent
from tests.benchmarks.code.repositories.test_archives import server
from tests.conftest import need

__all__ = ["server"]


@pytest.fixture(scope="module")
def cases():
    return {case.id: case for case in EvoCodeBench().cases()}


def test_own_samples_count_and_say_what_they_are(cases):
    assert len(cases) == 20
    about = cases["parcels.rates.Tariff.price"].attributes
    assert (about["type"], about["standalone"], about["intra_class"], about["intra_file"]) == ("method", False, 3, 2)
    assert cases["parcels.tracking.check_digit"].attributes["standalone"]
    assert {case.group for case in cases.values()} == {"parcels", "notebook"}


CHAT = 'Sure:\n```python\nimport math\n\ndef f(x):\n    """Doc."""\n    import re\n    y = math.sqrt(x)\n    return y\n```\nDone.'


@pytest.mark.parametrize(
    ("answer", "sound", "published"),
    [
        # the function's body without its docstring, behind the imports of the block (published: those inside it once more)
        (CHAT, "    import math\n    import re\n    y = math.sqrt(x)\n    return y\n", "    import math\n    import re\n    import re\n    y = math.sqrt(x)\n    return y\n"),
        # no such function: the lines while they are indented as the first
        ("```python\n    y = 1\n\n    return y\nprint(1)\n```", "    y = 1\n\n    return y\n", "    y = 1\n\n    return y\n"),
        # published looks into the first fence alone
        ("```\npip install\n```\n```python\ndef f(x):\n    return x\n```", "    return x\n", "pip install\n"),
        # a definition that does not parse is lost in the published procedure
        ('```python\ndef f(x):\n    a = 1\n    return "open\n```', '    a = 1\n    return "open\n', "    pass\n"),
        # a class instead of the body, tabs instead of blanks
        ("```python\nclass A:\n\tdef f(self):\n\t\treturn 1\n```", "        return 1\n", "\t\treturn 1\n"),
        # a body on the line of its signature
        ("```python\ndef f(x): return x\n```", "    return x\n", "    return x\n"),
        ("```python\ndef f(x):\n    pass\n```", "    pass\n", "    pass\n"),
        ("", "    pass\n", "    pass\n"),
    ],
)  # fmt: skip
def test_bodies_in_chat_answers(answer, sound, published):
    assert extraction.of_chat(answer, "f").text == sound
    assert extraction.of_chat(answer, "f", published=True).text == published


def test_bodies_of_base_models_end_where_the_indentation_does():
    assert (
        extraction.of_base("\n\n    a = 1\n\n        b\n    c\ndef g():\n    d\n").text
        == "    a = 1\n\n        b\n    c\n"
    )
    assert extraction.of_base("  pass").rung == "none"


def test_cut_off_text_is_mended_by_leaving_its_last_lines_out():
    assert extraction.mended("    a = 1\n    if a:\n        b = [1,\n") == "    a = 1\n"
    assert extraction.mended("    (\n") == ""


def test_prompts_in_three_settings(cases):
    bench, case = EvoCodeBench(), cases["parcels.rates.Tariff.price"]
    (alone,) = bench.prompt(case, setting="baseline", route="completion")
    assert alone.role == "raw"
    assert alone.content.startswith('class Tariff:\n    def price(self, grams, address, code=""):\n        """\n')
    assert "per_step" not in alone.content
    (above,) = bench.prompt(case, setting="local_completion", route="completion")
    assert above.content.startswith('"""What a parcel costs."""')
    assert above.content.endswith('takes its share off the whole.\n        """\n')
    assert "def cheapest" not in above.content
    assert "round(whole" not in above.content, "the reference is in no prompt"
    known = EvoCodeBench()
    other = next(c for c in known.cases() if c.group == "notebook")
    (control,) = known.prompt(case, setting="shuffled", route="completion")
    foreign, target = control.content.split("    def price(self")
    assert foreign.strip()
    assert foreign.strip() in other.payload.source
    assert target == above.content.split("    def price(self")[1]
    (both,) = bench.prompt(case, setting="local_infilling", route="completion", fill="deepseek")
    prefix, suffix = both.content.split("<｜fim▁hole｜>")
    assert prefix.startswith("<｜fim▁begin｜>")
    assert "def cheapest" in suffix
    assert suffix.endswith("<｜fim▁end｜>")
    (order,) = bench.prompt(case, setting="local_infilling", route="completion", fill="starcoder")
    marks = [
        order.content.index(mark)
        for mark in ("<fim_prefix>", "def price", "<fim_suffix>", "def cheapest", "<fim_middle>")
    ]
    assert marks == sorted(marks)
    (chat,) = bench.prompt(case, setting="local_infilling")
    assert chat.role == "user"
    assert "code below" in chat.content


def test_the_released_prompt_for_open_models_names_no_class(cases):
    case = cases["parcels.rates.Tariff.price"]
    (released,) = EvoCodeBench(profile="published").prompt(case, setting="baseline", route="completion")
    assert released.content.startswith("class js['class_name']:\n")
    (chat,) = EvoCodeBench(profile="published").prompt(case, setting="baseline")
    assert "class Tariff:" in chat.content


def test_the_room_is_split_in_proportion_above_cut_from_the_left_and_below_from_the_right(cases):
    sample = cases["parcels.rates.Tariff.price"].payload
    whole = prompts.context(sample, "local_infilling", 10_000)
    sizes = [budget.tokens(part) for part in whole]
    room = sum(sizes) // 2
    above, below = prompts.context(sample, "local_infilling", room)
    assert whole[0].endswith(above)
    assert whole[1].startswith(below)
    for part, size in zip((above, below), sizes, strict=True):
        assert budget.tokens(part) == pytest.approx(room * size / sum(sizes), abs=2)
    assert prompts.context(sample, "local_completion", 10)[1] == ""
    assert prompts.context(sample, "baseline", 10_000) == ("", "")


@pytest.mark.parametrize(
    ("body", "recall"),
    [
        ("return round(self.base + billed_grams(grams) * self.per_step, 2)", 3 / 5),
        ("return self.missing(billed_grams)", 1 / 5),
        ("return 0", 0.0),
        ("return (", 0.0),
    ],
)
def test_recall_is_the_share_of_the_references_dependencies_that_a_body_uses(cases, body, recall):
    need("bwrap")
    case = cases["parcels.rates.Tariff.price"]
    assert len(case.payload.needed) == 5
    assert EvoCodeBench().score(case, f"```python\n        {body}\n```").metrics["recall_at_1"] == pytest.approx(recall)


def test_recall_at_k_is_the_best_of_the_first_k():
    assert recall_at_k([[0.0, 0.5, 1.0], [0.2, 0.1, 0.0]], 1) == pytest.approx(0.1)
    assert recall_at_k([[0.0, 0.5, 1.0], [0.2, 0.1, 0.0]], 2) == pytest.approx(0.35)


def test_verdicts_name_the_stage_that_failed(cases):
    need("bwrap")
    bench, case = EvoCodeBench(), cases["parcels.tracking.check_digit"]
    got = {
        name: bench.score(case, answer)
        for name, answer in {
            "gold": bench.reference(case), "empty": "", "stub": "```python\ndef check_digit(number):\n    pass\n```",
            "torn": "```python\ndef check_digit(number):\n    return (\n```", "wrong": "```python\ndef check_digit(number):\n    return 0\n```",
            "raises": "```python\ndef check_digit(number):\n    return missing\n```",
        }.items()
    }  # fmt: skip
    assert {name: outcome.metrics["pass_at_1"] for name, outcome in got.items()} == {
        "gold": 1.0, "empty": 0.0, "stub": 0.0, "torn": 0.0, "wrong": 0.0, "raises": 0.0,
    }  # fmt: skip
    assert {name: outcome.error.partition(":")[0] for name, outcome in got.items()} == {
        "gold": "", "empty": "NoCode", "stub": "NoCode", "torn": "SyntaxError", "wrong": "AssertionError", "raises": "NameError",
    }  # fmt: skip
    assert "recall_at_1" not in got["gold"].metrics, "it is standalone"


class Values:
    """What the pool would give to a summary."""

    def __init__(self, contender, passes, recalls, others=()):
        self.contender, self.passes, self.recalls, self.others = contender, passes, recalls, list(others)

    def trials(self, metric):
        return {"pass_at_1": self.passes, "recall_at_1": self.recalls}.get(metric, {})

    def __call__(self, metric):
        return {case: sum(trials) / len(trials) for case, trials in self.trials(metric).items()}

    def attributes(self, metric):
        return {"a": {"domain": "Database"}, "b": {"domain": "Database"}, "c": {"domain": "Internet"}}


def test_summary_counts_missing_outputs_as_failures_and_says_where_a_model_is_strong():
    other = Values("m", {"a": [0.0], "b": [1.0], "c": [1.0]}, {})
    gold = Values("gold", {"a": [1.0], "b": [1.0], "c": [1.0]}, {})
    passes = {"a": [1.0, 1.0, 0.0, 0.0], "b": [1.0, 0.0], "c": [0.0, 0.0, 0.0, 0.0]}
    found = EvoCodeBench().summary(Values("x", passes, {"a": [0.5, 1.0]}, [other, gold]))
    # n = 4: c = 2, 1, 0; pass@1 = (1/2 + 1/4 + 0) / 3; pass@3 = (1 + 3/4 + 0) / 3
    assert found["Pass@1"].startswith("25.00 ")
    assert found["Pass@3"].startswith("58.33 ")
    assert (found["Recall@1"], found["Recall@3"]) == ("50.00", "100.00")
    assert "Pass@5" not in found
    assert "DSI +0 %" in found["Database"]
    assert "n=2, too few" in found["Database"]
    assert "DSI -100 %, strange" in found["Internet"]


def test_domains_by_rules():
    assert label("import sqlite3\nimport re\n", ["Topic :: Database"]) == "Database"
    assert label("import os\n", ["Topic :: Software Development :: Libraries"]) == "System"
    assert label("", [], "Parse markdown text") == "Text Processing"
    assert label("x = (") == "Utilities"
    assert len(domains.DOMAINS) == 10


label = domains.label


def test_requirements_from_docstrings_and_from_answers():
    text = "Sum prices.\n\nWith tax.\n\nArgs:\n    x: a price\n\nReturns:\n    the sum"
    assert texts.requirement_of(text) == {
        "Functionality": "Sum prices.\n\nWith tax.", "Arguments": "Args:\n    x: a price\n\nReturns:\n    the sum",
    }  # fmt: skip
    assert texts.requirement_of("Sum.\n:param x: a\n:return: b")["Arguments"] == ":param x: a\n:return: b"
    said = "**Functionality:** Sums.\n**Arguments:**\nx: a price"
    assert texts.requirement_in(said) == {"Functionality": "Sums.", "Arguments": "x: a price"}
    assert texts.label_in("I think it is text processing, or System.") == "Text Processing"


def test_bad_data_name_line_and_field(tmp_path):
    own = EvoCodeBench.own
    good = json.loads((own / "data.jsonl").read_text().splitlines()[0])
    (tmp_path / "Source_Code").symlink_to(own / "Source_Code")

    def read(**changes):
        (tmp_path / "data.jsonl").write_text(json.dumps({**good, **changes}))
        return list(EvoCodeBench().cases(str(tmp_path)))

    assert len(read()) == 1
    for changes, said in (
        ({"body_position": [5, 4000]}, "line 1: field 'body_position'"),
        ({"tests": []}, "line 1: field 'tests'"),
        ({"type": "lambda"}, "line 1: field 'type'"),
        ({"requirement": "text"}, "line 1: field 'requirement'"),
        ({"completion_path": "absent/a.py"}, "no sample can be measured"),
        ({"completion_path": "parcels/absent.py"}, "no sample can be measured"),
    ):
        with pytest.raises(InputError, match=said):
            read(**changes)
    with pytest.raises(MissingError, match="has not been built"):
        list(EvoCodeBench(slice="never").cases())
    with pytest.raises(InputError, match="setting"):
        EvoCodeBench().prompt(next(iter(EvoCodeBench().cases())), setting="everything")


def test_new_functions_stand_with_old_ones_of_their_package(cases, tmp_path):
    def made(name, project, lines, needs, **facts):
        like = next(c.payload for c in cases.values() if c.group == project)
        needed = {"intra_file": tuple(f"m.{i}" for i in range(needs))}
        return replace(like, namespace=name, body=(1, lines), dependency=needed, facts=facts)

    new, old = {"likeness": 0.2, "unchanged": False}, {"likeness": 1.0, "unchanged": True}
    found = ages.matched([
        made("long", "parcels", 40, 3, **new), made("short", "parcels", 4, 0, **new), made("mended", "parcels", 8, 0, **{**new, "likeness": 0.8}),
        made("o6", "parcels", 6, 0, **old), made("o30", "parcels", 30, 3, **old), made("o200", "parcels", 200, 0, **old),
        made("alone", "notebook", 5, 0, **new),
    ])  # fmt: skip
    assert found == {
        "long": ("new", "parcels/0"), "o30": ("old", "parcels/0"),
        "short": ("new", "parcels/1"), "o6": ("old", "parcels/1"),
    }  # fmt: skip
    # two shared lines of three and three: 2 x 2 / 6; the nearest counts
    assert ages.likeness("a\nb\nc", ["x", "a\nb\nd"]) == pytest.approx(2 / 3)
    assert ages.likeness("a", []) == 0.0
    with pytest.raises(InputError, match="built with --since"):
        list(EvoCodeBench(age="new").cases())
    with pytest.raises(InputError, match="option 'age'"):
        EvoCodeBench(age="older")


def sdist(version, root: Path, change=lambda text: text):
    """A source distribution of our own project, as an index would have it."""
    out = io.BytesIO()
    facts = f"Metadata-Version: 2.1\nName: parcels\nVersion: {version}\nLicense: MIT\nClassifier: Topic :: Database\n"
    files = {"PKG-INFO": facts} | {p.relative_to(root).as_posix(): change(p.read_text()) for p in root.rglob("*.py")}
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        for name, text in files.items():
            info = tarfile.TarInfo(f"parcels-{version}/{name}")
            info.size = len(text.encode())
            tar.addfile(info, io.BytesIO(text.encode()))
    return out.getvalue()


def test_a_slice_is_built_from_an_index_and_made_again_from_its_recipe(server, tmp_path, cases):
    need("bwrap")
    root = EvoCodeBench.own / "Source_Code" / "parcels"
    server["parcels-1.0.tar.gz"] = (
        sdist("1.0", root, lambda t: t.replace("total = 0", "total = 0 + 0")),
        "2024-05-01T00:00:00Z",
    )
    server["parcels-1.1.tar.gz"] = (sdist("1.1", root), "2025-05-01T00:00:00Z")
    built = EvoCodeBench().build(
        tmp_path / "one", Silent(), packages=["parcels", "absent"], since=date(2025, 1, 1), limit=6
    )
    assert ("absent", "the package index has no 'absent'.") in built.dropped
    made = {case.id: case for case in EvoCodeBench().cases(str(built.folder))}
    mine = {name for name in cases if name.startswith("parcels")}
    assert set(made) <= mine
    assert len(made) == built.cases == 6
    for name, case in made.items():
        assert case.payload.dependency == cases[name].payload.dependency
        assert case.payload.functionality == cases[name].payload.functionality
        assert case.attributes["domain"] == "Database"
        assert case.attributes["unchanged"] == (name != "parcels.tracking.check_digit")
        assert (case.attributes["likeness"] == 1.0) == case.attributes["unchanged"]
    assert "2025-05-01" in built.facts["leakage"]
    slice_json = json.loads((built.folder / "slice.json").read_text())
    assert "requirement" not in slice_json["cases"][0], "a recipe holds no text of others"
    del slice_json["dropped"]
    (tmp_path / "recipe.json").write_text(json.dumps(slice_json))
    again = EvoCodeBench().build(tmp_path / "two", Silent(), recipe=str(tmp_path / "recipe.json"))
    assert again.cases == built.cases
    for path, value in (("sources", {"folder": ".."}), ("cases", {"completion_path": "parcels-1.1/../../x.py"})):
        evil = {**slice_json, path: [{**slice_json[path][0], **value}]}
        (tmp_path / "evil.json").write_text(json.dumps(evil))
        with pytest.raises(InputError, match="is no name of a file or folder"):
            EvoCodeBench().build(tmp_path / "three", Silent(), recipe=str(tmp_path / "evil.json"))
    assert (again.folder / "data.jsonl").read_text() == (built.folder / "data.jsonl").read_text()
