"""The code that the documentation shows runs as it stands."""

import os
import re
import subprocess
import sys
from pathlib import Path

from tests.conftest import ROOT


def test_the_python_page_runs(tmp_path):
    code = "\n".join(re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "python.md").read_text(), re.DOTALL))
    environment = {**os.environ, "STEELYARD_POOL": str(tmp_path / "pool")}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert [line.split()[0] for line in done.stdout.splitlines()] == ["numpy", "mine"]


def test_links_in_readme_and_docs_lead_somewhere():
    for page in [ROOT / "README.md", *ROOT.glob("docs/*.md")]:
        for link in re.findall(r"\]\(([^)#]+)\)", page.read_text()):
            if "://" not in link:
                assert (page.parent / link).exists(), f"{page.name}: {link}"


def test_every_command_is_in_the_readme_or_the_docs():
    from steelyard.cli import build

    text = "".join(p.read_text() for p in [ROOT / "README.md", *Path(ROOT / "docs").glob("*.md")])
    for command in build().registered_commands:
        assert f"steelyard {command.name}" in text, command.name
