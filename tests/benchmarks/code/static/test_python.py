"""Dependencies of Python functions: against a key made by hand, case by case, and for bodies put in another's place."""

import json
from pathlib import Path

import pytest

from steelyard.benchmarks.code.static.python import LEVELS, Project, dependencies
from steelyard.core.errors import InputError
from tests.benchmarks.code.static.peers import jedi_uses, pyan_uses
from tests.conftest import need

HERE = Path(__file__).parent
KEY = json.loads((HERE / "key.json").read_text())["functions"]
KINDS = ("intra_class", "intra_file", "cross_file")


@pytest.fixture(scope="module")
def orchard():
    return Project.read(HERE / "orchard")


def test_the_key_is_found_but_for_a_lambda_whose_argument_has_no_type(orchard):
    wrong = {}
    for entry in KEY:
        found = dependencies(orchard, entry["path"], entry["name"])
        off = {kind: set(entry[kind]) ^ getattr(found, kind) for kind in KINDS}
        if any(off.values()):
            wrong[entry["name"]] = set().union(*off.values())
    assert wrong == {"cheapest": {"orchard.prices.Price.amount"}}


def tally(uses):
    """(precision, recall) of the project names in `uses`, one set for each function of the key, all names pooled."""
    wanted = [set().union(*(entry[kind] for kind in KINDS)) for entry in KEY]
    right = sum(len(want & got) for want, got in zip(wanted, uses, strict=True))
    return right / sum(map(len, uses)), right / sum(map(len, wanted))


def test_pyan3_finds_less_than_we_do(orchard):
    need("pyan")
    names = [f"{e['path'][:-3].replace('/', '.')}.{e['name']}" for e in KEY]
    precision, recall = tally([uses for _, uses in pyan_uses(HERE / "orchard", names)])
    ours = tally([dependencies(orchard, e["path"], e["name"]).project for e in KEY])
    assert ours == (1.0, 78 / 79)
    assert precision < ours[0]
    assert recall < ours[1]


@pytest.mark.slow
def test_jedi_finds_less_than_we_do(orchard):
    need("jedi")
    precision, recall = tally([jedi_uses(HERE / "orchard", orchard, e["path"], e["name"]) for e in KEY])
    print(f"jedi: precision {precision:.3f}, recall {recall:.3f}")
    assert 0.9 < precision < 1.0
    assert 0.9 < recall < 78 / 79


@pytest.mark.parametrize(
    ("path", "name", "level", "outside"),
    [
        ("prices.py", "Price.cents", "class_runnable", set()),
        ("taxes.py", "rounded", "slib_runnable", {"math.floor"}),
        ("taxes.py", "download", "plib_runnable", {"json.loads", "requests.Session", "requests.Session.get"}),
        ("taxes.py", "known", "file_runnable", set()),
        ("prices.py", "parse_price", "project_runnable", {"decimal.Decimal", "decimal.InvalidOperation"}),
        ("util/log.py", "timed", "file_runnable", {"functools.wraps", "time.perf_counter"}),
        ("stock.py", "counter", "self_contained", set()),
    ],
)
def test_the_level_is_the_smallest_scope_that_has_all_names(orchard, path, name, level, outside):
    found = dependencies(orchard, f"orchard/{path}", name)
    assert (found.level, found.stdlib | found.third_party) == (level, outside)
    assert level in LEVELS


def test_decorators_defaults_and_annotations_count_with_the_signature(orchard):
    without = dependencies(orchard, "orchard/ledger.py", "Ledger.total")
    with_it = dependencies(orchard, "orchard/ledger.py", "Ledger.total", signature=True)
    assert with_it.cross_file - without.cross_file == {"orchard.util.log.timed"}
    of = dependencies(orchard, "orchard/stock.py", "Crate.__init__", signature=True)
    assert of.builtins == {"str", "int"}
    postponed = dependencies(orchard, "orchard/ledger.py", "Ledger.of", signature=True)
    assert "orchard.people.Customer" not in postponed.cross_file, (
        "the file postpones annotations: nothing evaluates them"
    )


def test_another_body_is_read_in_the_scope_of_the_function(orchard):
    body = "from .ledger import Ledger\nreturn [c.fruit for c in self.crates if Ledger.of(self.owner) and nothing]\n"
    for text in (body, "".join(f"        {line}\n" for line in body.splitlines())):
        found = dependencies(orchard, "orchard/stock.py", "Stock.full", text)
        assert found.intra_class == {"orchard.stock.Stock.crates", "orchard.stock.Stock.owner"}
        assert found.intra_file == {"orchard.stock.Crate.fruit"}
        assert found.cross_file == {"orchard.ledger.Ledger.of"}
        assert found.unresolved == {"nothing"}
        assert found.kinds["orchard.ledger.Ledger.of"] == "function"
        assert found.kinds["orchard.stock.Crate.fruit"] == "variable"


@pytest.mark.parametrize("body", ["", "   \n# nothing\n", "return (", "    return 1\nx = 2\n", "\x00", "return 1\n  y"])
def test_a_body_that_is_none_is_a_syntax_error(orchard, body):
    with pytest.raises(SyntaxError):
        dependencies(orchard, "orchard/taxes.py", "known", body)


def test_names_that_are_not_there_are_named(orchard):
    with pytest.raises(InputError, match="Did you mean"):
        dependencies(orchard, "orchard/prices.py", "Price.cent")
    with pytest.raises(InputError, match="unknown file"):
        dependencies(orchard, "orchard/price.py", "Price")
    with pytest.raises(InputError, match="is a class"):
        dependencies(orchard, "orchard/prices.py", "Price")


def of(files, path="pkg/a.py", name="f", **options):
    return dependencies(Project({"pkg/__init__.py": "", **files}), path, name, **options)


def test_names_are_found_through_aliases_stars_and_re_exports():
    found = of(
        {
            "pkg/__init__.py": "from pkg.b import *\n",
            "pkg/b.py": "__all__ = ['g']\ndef g(): ...\ndef _h(): ...\n",
            "pkg/a.py": "import pkg as q\nfrom . import b as c\ndef f():\n    return q.g(), c._h(), q._h\n",
        }
    )
    assert found.cross_file == {"pkg.b.g", "pkg.b._h", "pkg._h"}


def test_the_first_import_that_is_there_counts():
    found = of(
        {
            "pkg/b.py": "def g(): ...\n",
            "pkg/a.py": "try:\n    from ._fast import g\nexcept ImportError:\n    from .b import g\ndef f():\n    return g()\n",
        }
    )
    assert found.cross_file == {"pkg.b.g"}


def test_locals_hide_names_and_comprehensions_keep_theirs():
    source = (
        "x = y = z = w = 1\n"
        "def f(y):\n    x = 2\n    a = [z for z in range(x)]\n    (b := w)\n    return a, b, x, y, z\n"
    )
    assert of({"pkg/a.py": source}).intra_file == {"pkg.a.z", "pkg.a.w"}


def test_globals_closures_and_matches():
    source = (
        "n = 0\ndef outer(k):\n    def f(v):\n        global n\n        n = k\n        match v:\n"
        "            case [first, *rest]:\n                return first, rest\n            case {'a': a, **more}:\n"
        "                return a, more\n    return f\n"
    )
    found = of({"pkg/a.py": source}, name="outer.f")
    assert found.intra_file == {"pkg.a.n", "pkg.a.outer.k"}
    assert found.unresolved == set()


def test_a_class_that_is_defined_twice_is_looked_through():
    source = (
        "if x:\n    class A: ...\nelse:\n    class A:\n        def f(self):\n            return self.g\n        g = 1\n"
    )
    assert of({"pkg/a.py": "x = 1\n" + source}, name="A.f").intra_class == {"pkg.a.A.g"}


def test_circles_of_imports_and_bases_end():
    files = {
        "pkg/a.py": "from .b import *\nfrom .b import g\nclass A(B): ...\nclass B(A):\n    def f(self):\n        return self.m, g\n",
        "pkg/b.py": "from .a import *\nfrom .a import g\n",
    }
    found = of(files, name="B.f")
    assert found.uses_self
    assert found.intra_class == set()


def test_files_without_a_package_and_in_src_are_found():
    files = {"src/one.py": "import two\ndef f():\n    return two.g()\n", "src/two.py": "def g(): ...\n"}
    assert dependencies(Project(files), "src/one.py", "f").cross_file == {"two.g"}
    files = {
        "scripts/run.py": "from helper import g\ndef f():\n    return g()\n",
        "scripts/helper.py": "def g(): ...\n",
    }
    assert dependencies(Project(files), "scripts/run.py", "f").cross_file == {"scripts.helper.g"}


def test_a_folder_without_python_is_named(tmp_path):
    with pytest.raises(InputError, match="holds no Python file"):
        Project.read(tmp_path)
    (tmp_path / "bad.py").write_bytes(b"x = '\xff'\n")
    (tmp_path / "crlf.py").write_bytes(b"\xef\xbb\xbfimport os\r\ndef f():\r\n    return os.getcwd()\r\n")
    (tmp_path / "broken.py").write_text("def (")
    found = dependencies(Project.read(tmp_path), "crlf.py", "f")
    assert found.stdlib == {"os.getcwd"}
