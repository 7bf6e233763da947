"""Wrong bodies that try to pass the tests of their project: by pytest, unittest, the judge, the files, or an early end."""

import pytest

from steelyard.benchmarks.code.repositories import project
from steelyard.benchmarks.code.repositories.running import run_tests
from tests.conftest import need

WANTED = ["tests/test_a.py::test_double", "tests/test_b.py::Case::test_double"]
TESTS = {
    "tests/test_a.py": "from code_ import double\n\ndef test_double():\n    assert double(2) == 4\n",
    "tests/test_b.py": (
        "import unittest\nfrom code_ import double\n\nclass Case(unittest.TestCase):\n"
        "    def test_double(self):\n        self.assertEqual(double(3), 6)\n"
    ),
}
# what a file may do when it is imported; its function is wrong
AT_IMPORT = {
    "tests that do nothing": "import _pytest.python, _pytest.unittest as u\n_pytest.python.Function.runtest = u.TestCaseFunction.runtest = lambda self: None",
    "reports that never failed": "from _pytest.reports import TestReport\nTestReport.failed = property(lambda self: False)",
    "outcomes that say passed": (
        "import _pytest.runner as r\nreal = r.TestReport.from_item_and_call\n"
        "def kind(item, call):\n    call.excinfo = None\n    return real(item, call)\n"
        "r.TestReport.from_item_and_call = staticmethod(kind)"
    ),
    "calls that catch everything": (
        "import _pytest.runner as r\nreal = r.CallInfo.from_call.__func__\n"
        "def mild(cls, func, *a, **k):\n    def tried():\n        try: return func()\n        except BaseException: pass\n"
        "    return real(cls, tried, *a, **k)\nr.CallInfo.from_call = classmethod(mild)"
    ),
    "the judge's list, found by gc": (
        "import gc\nfor thing in gc.get_objects():\n    if isinstance(thing, dict) and 'wanted' in thing:\n"
        "        thing['wanted'].clear()"
    ),
    "the judge's list, found by frames": (
        "import sys\nframe = sys._getframe()\nwhile frame:\n    order = frame.f_locals.get('order')\n"
        "    if isinstance(order, dict): order['wanted'].clear()\n    frame = frame.f_back"
    ),
    "an end before the tests": "import os\nos._exit(0)",
    "an end behind printed results": (
        "import json, os, sys\nsys.stdout.write('\\x1e steelyard ' + json.dumps({'code': 0, 'broken': {}, 'results': "
        f"{ ({name: ['passed', '', ''] for name in WANTED}) }}}) + '\\n')\nsys.stdout.flush()\nos._exit(0)"
    ),
    "reports written to every descriptor": (
        "import json, os\nfor fd in range(3, 256):\n    for name in " + repr(WANTED) + ":\n"
        "        try: os.write(fd, (json.dumps(['test', name, 'passed', '', '']) + '\\n').encode())\n        except OSError: pass"
    ),
    "no way out but back": "import os\nos._exit = lambda code: None",
    "other tests in the files": (
        "import pathlib\npathlib.Path('tests/test_b.py').write_text('import unittest\\nclass Case(unittest.TestCase):\\n"
        "    def test_double(self): pass\\n')"
    ),
    "a conftest.py": "open('tests/conftest.py', 'w').write('')",
    "assertions of unittest": "import unittest\nunittest.TestCase.assertEqual = lambda *a, **k: None",
    "all and any": "import builtins\nbuiltins.all = builtins.any = lambda things: True",
}


@pytest.fixture
def code(tmp_path):
    need("bwrap")
    root = tmp_path / "code"
    (root / "tests").mkdir(parents=True)
    (root / "code_.py").write_text("def double(x):\n    return x + x\n")
    for path, text in TESTS.items():
        (root / path).write_text(text)
    root.chmod(0o755)
    return project.laid_out(root, "code")


def test_the_right_body_passes_and_a_wrong_one_does_not(code):
    assert run_tests(code, WANTED).passed
    wrong = run_tests(code, WANTED, {"code_.py": "def double(x):\n    return 0\n"})
    assert (wrong.verdict, wrong.tests[WANTED[0]].end, len(wrong.tests)) == ("assertion", "failed", 2)


@pytest.mark.parametrize("forgery", AT_IMPORT.values(), ids=AT_IMPORT)
def test_a_wrong_body_that_meddles_does_not_pass(code, forgery):
    # the first test is right, so that only what the body did to the second can hide that it is wrong
    text = f"{forgery}\n\ndef double(x):\n    return 4 if x == 2 else 0\n"
    assert not run_tests(code, WANTED, {"code_.py": text}).passed


@pytest.mark.parametrize("forgery", ["assertions of unittest", "all and any", "a conftest.py"])
def test_a_right_body_that_meddles_does_not_pass_either(code, forgery):
    run = run_tests(code, WANTED, {"code_.py": f"{AT_IMPORT[forgery]}\n\ndef double(x):\n    return 2 * x\n"})
    assert (run.passed, run.verdict) == (False, "assertion")
    assert "the program changed" in run.message
