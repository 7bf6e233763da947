"""The command line as a user meets it: exit codes, errors with a cure, JSON that parses."""

import json
import subprocess
import sys

import pytest


def steelyard(*arguments, pool=None, check=None):
    environment = None
    if pool is not None:
        import os

        environment = {**os.environ, "STEELYARD_POOL": str(pool)}
    code = "from steelyard.cli import main; main()"
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, env=environment)
    if check is not None:
        assert done.returncode == check, done.stderr + done.stdout
    return done


def test_help_lists_every_command():
    text = steelyard("--help", check=0).stdout
    for command in (
        "list",
        "show",
        "run",
        "score",
        "compare",
        "rank",
        "agree",
        "gain",
        "claims",
        "papers",
        "report",
        "pool",
        "models",
    ):
        assert command in text


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["run", "sofmax"], "Did you mean softmax"),
        (["show", "humaneval-por"], "Did you mean humaneval-pro"),
        (["run", "humaneval-pro", "--with", "smolm2"], "Did you mean smollm2"),
        (["run", "humaneval-pro", "--with", "gold[x=1]"], "unknown option 'x'"),
        (["run", "humaneval-pro[profil=sound]"], "Did you mean profile"),
        (["run", "humaneval-pro", "--time", "soon"], "Write seconds"),
        (["run", "humaneval-pro", "--where", "import os"], "not an expression"),
        (["claims", "humaneval-pro", "--fail-on", "maybe"], "unknown verdict"),
        (["list", "--kind", "thing"], "benchmark or contender"),
        (["models", "pull", "gemma3"], "--accept-terms"),
        (["frobnicate"], "No such command"),
    ],
)
def test_bad_usage_ends_with_2_and_says_what_to_do(tmp_path, arguments, words):
    done = steelyard(*arguments, pool=tmp_path / "pool", check=2)
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_list_and_show_give_json():
    names = {row["name"] for row in json.loads(steelyard("list", "--json", check=0).stdout)}
    assert {"humaneval", "humaneval-pro", "mbpp", "mbpp-pro", "gold", "empty", "self-debug"} <= names
    card = json.loads(steelyard("show", "humaneval-pro", "--json", check=0).stdout)
    assert card["paper"]["arxiv"] == "2412.21199"
    assert len(card["claims"]) >= 10


def test_papers_lists_seventy(tmp_path):
    rows = json.loads(steelyard("papers", "--json", pool=tmp_path / "pool", check=0).stdout)
    assert len(rows) == 70


def test_an_empty_pool_says_what_to_run(tmp_path):
    done = steelyard("rank", pool=tmp_path / "pool", check=3)
    assert "A first run makes it" in done.stderr


def test_data_that_is_not_there_is_an_environment_error(tmp_path):
    done = steelyard("run", "humaneval-pro", "--data", "/no/such/file", pool=tmp_path / "pool", check=3)
    assert "/no/such/file" in done.stderr


def test_doctor_looks_at_everything_and_ends_with_0_or_3(tmp_path):
    done = steelyard("doctor", "--json", pool=tmp_path / "pool")
    assert done.returncode in (0, 3), done.stderr
    what = {row["what"] for row in json.loads(done.stdout)}
    assert {"python", "native kernels", "pool", "machine", "model smollm2"} <= what


def test_a_library_that_is_not_installed_is_named(monkeypatch, capsys):
    from steelyard import catalog, cli

    def missing():
        raise ModuleNotFoundError("No module named 'nowhere'", name="nowhere")

    monkeypatch.setattr(catalog, "entries", missing)
    with pytest.raises(SystemExit) as stopped:
        cli.main(["list"])
    assert stopped.value.code == 3
    assert "the library 'nowhere'" in capsys.readouterr().err
