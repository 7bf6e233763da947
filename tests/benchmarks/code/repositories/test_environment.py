"""What a project needs, from its metadata: written by hand."""

import pytest

from steelyard.benchmarks.code.repositories import environment, project
from steelyard.core.errors import InputError

FACTS = """Metadata-Version: 2.1
Name: numbers
Version: 1.0
Requires-Dist: attrs>=20
Requires-Dist: tomli; python_version < "3.8"
Requires-Dist: away @ https://example.org/away.whl
Requires-Dist: pytest-mock; extra == "test"
Requires-Dist: pytest-cov; extra == "test"
Requires-Dist: pyyaml; extra == "test"
Requires-Dist: sphinx; extra == "docs"
"""


@pytest.fixture
def numbers(tmp_path):
    (tmp_path / "tests").mkdir()
    (tmp_path / "numbers_.py").write_text("import attr\n")
    (tmp_path / "tests" / "test_numbers.py").write_text("import yaml\nimport os\n")
    (tmp_path / "PKG-INFO").write_text(FACTS)
    return project.laid_out(tmp_path, "numbers")


def test_what_runs_and_what_its_tests_import_but_no_more(numbers):
    assert environment.requirements(numbers) == ["attrs>=20", "pytest-mock", "pyyaml"]


def test_requirements_of_old_metadata(numbers):
    (numbers.root / "PKG-INFO").write_text("Metadata-Version: 1.1\nName: numbers\n")
    (numbers.root / "numbers.egg-info").mkdir()
    (numbers.root / "numbers.egg-info" / "requires.txt").write_text(
        "attrs\n\n[:python_version < '3']\nfuture\n\n[dev]\npyyaml>=5\nblack\n"
    )
    again = project.laid_out(numbers.root, "numbers")
    assert environment.requirements(again) == ["attrs", "pyyaml>=5"]


def test_a_pin_is_a_name_and_a_version_and_nothing_else(numbers):
    for text in ("--index-url=https://example.org", "a", "a==1 -r x", "a @ file:///x"):
        with pytest.raises(InputError, match="pins no version"):
            environment.equipped(numbers, [text])


def test_what_is_no_project_says_so(tmp_path):
    with pytest.raises(InputError, match="no package or module"):
        project.laid_out(tmp_path, "empty")
    (tmp_path / "a.py").write_text("")
    with pytest.raises(InputError, match="no test files"):
        project.laid_out(tmp_path, "a")
