"""One warm sandbox for these tests."""

from collections.abc import Iterator

import pytest

from steelyard.sandbox import Sandbox
from tests.conftest import need


@pytest.fixture(scope="session")
def sandbox() -> Iterator[Sandbox]:
    need("bwrap")
    with Sandbox(jobs=1) as sandbox:
        yield sandbox


@pytest.fixture
def box(sandbox: Sandbox) -> Iterator[Sandbox]:
    """The sandbox, and after the test a proof that the next program still runs correctly."""
    yield sandbox
    after = sandbox.check(
        "import os\ndef f(x):\n    return x + 1\n",
        "assert f(1) == 2\nassert os.listdir('/tmp') == []\nopen('/tmp/mine', 'w').write('x' * 1000)\nassert not os.fork() or os.wait()",
    )
    assert after.verdict in ("passed", "early-exit"), after
    assert sandbox.check("def f(x): return x", "assert f(1) == 2").verdict == "assertion"
