"""The command line: one file a command, no logic of its own."""

from __future__ import annotations

import os
import sys
from typing import Any

import typer

from steelyard.cli import (
    agree,
    claims,
    compare,
    doctor,
    gain,
    import_,
    list_,
    models,
    papers,
    pool,
    profile,
    rank,
    report,
    run,
    score,
    select,
    show,
    view,
)  # fmt: skip
from steelyard.core.errors import BAD_INPUT, MEASURED_FAILURE, STOPPED, SteelyardError

app = typer.Typer(
    name="steelyard",
    help="Weigh models, methods and machines on one beam: published claims become measurements and verdicts.",
    epilog="Start with:  steelyard list   |   steelyard run quickstart   |   steelyard claims softmax",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

_WEIGH, _ASK, _LOOK = "Weigh", "Ask what was measured", "Look around"
for panel, name, command in (
    (_LOOK, "list", list_.list_),
    (_LOOK, "show", show.show),
    (_LOOK, "doctor", doctor.doctor),
    (_WEIGH, "run", run.run),
    (_WEIGH, "score", score.score),
    (_WEIGH, "import", import_.import_),
    (_ASK, "compare", compare.compare),
    (_ASK, "rank", rank.rank),
    (_ASK, "agree", agree.agree),
    (_ASK, "gain", gain.gain),
    (_ASK, "select", select.select),
    (_ASK, "profile", profile.profile),
    (_ASK, "claims", claims.claims),
    (_ASK, "papers", papers.papers),
    (_ASK, "report", report.report),
    (_ASK, "view", view.view),
):
    app.command(name, rich_help_panel=panel)(command)
app.add_typer(models.app, name="models", rich_help_panel=_LOOK)
app.add_typer(pool.app, name="pool", rich_help_panel=_LOOK)


@app.callback(invoke_without_command=True)
def _root(
    version: bool = typer.Option(False, "--version", help="Print the version and exit."),
) -> None:
    if version:
        from importlib.metadata import version as installed

        print(f"steelyard {installed('steelyard')}")
        raise typer.Exit


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit: 0 ok, 1 a measured failure, 2 bad input, 3 environment, 130 stopped."""
    sys.exit(_exit_code(arguments))


def _exit_code(arguments: list[str] | None) -> int:
    try:
        code: Any = app(arguments, standalone_mode=False)
        sys.stdout.flush()
        return code if isinstance(code, int) else 0
    except SteelyardError as error:
        print(f"steelyard: {error}", file=sys.stderr)
        return error.exit_code
    except (KeyboardInterrupt, typer.Abort):
        print("steelyard: stopped; what was measured is kept.", file=sys.stderr)
        return STOPPED
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else 0
    except BrokenPipeError:  # the reader of a pipe has gone (`| head`)
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return MEASURED_FAILURE
    except Exception as error:
        if not hasattr(error, "show"):  # a usage error of the command-line library knows how to show itself
            raise
        error.show()
        return BAD_INPUT
