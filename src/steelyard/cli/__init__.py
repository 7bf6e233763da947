"""The command line: one file a command, no logic of its own."""

from __future__ import annotations

import importlib
import os
import sys
from typing import Any

import typer
from typer.core import TyperGroup

from steelyard.core.errors import BAD_INPUT, MEASURED_FAILURE, STOPPED, SteelyardError, not_installed

_WEIGH, _ASK, _LOOK = "Weigh", "Ask what was measured", "Look around"
# command -> (panel of --help, module that holds a function or a Typer of the same name)
COMMANDS = {
    "list": (_LOOK, "list_"), "show": (_LOOK, "show"), "doctor": (_LOOK, "doctor"), "models": (_LOOK, "models"),
    "pool": (_LOOK, "pool"), "run": (_WEIGH, "run"), "score": (_WEIGH, "score"), "import": (_WEIGH, "import_"),
    "build": (_WEIGH, "build"),
    "compare": (_ASK, "compare"), "rank": (_ASK, "rank"), "agree": (_ASK, "agree"), "gain": (_ASK, "gain"),
    "select": (_ASK, "select"), "profile": (_ASK, "profile"), "claims": (_ASK, "claims"), "papers": (_ASK, "papers"),
    "report": (_ASK, "report"), "digest": (_ASK, "digest"), "view": (_ASK, "view"),
}  # fmt: skip


class _Panels(TyperGroup):
    """The list of commands as plain text, a section for each panel: the library that draws boxes takes half of its time."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        names = self.list_commands(ctx)
        for panel in (_WEIGH, _ASK, _LOOK):
            with formatter.section(panel):
                formatter.write_dl(
                    [(name, self.commands[name].get_short_help_str(88)) for name in names if COMMANDS[name][0] == panel]
                )


def build(only: str = "") -> typer.Typer:
    """The application with all commands, or with one: building a command takes milliseconds for each of its options."""
    app = typer.Typer(
        name="steelyard",
        cls=_Panels,
        rich_markup_mode="rich" if only else None,
        help="Weigh models, methods and machines on one beam: published claims become measurements and verdicts.",
        epilog="Start with:  steelyard list   |   steelyard run quickstart   |   steelyard claims softmax",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    )
    for name, (panel, module) in COMMANDS.items():
        if only in ("", name):
            found = importlib.import_module(f"steelyard.cli.{module}")
            if hasattr(found, "app"):
                app.add_typer(found.app, name=name, rich_help_panel=panel)
            else:
                app.command(name, rich_help_panel=panel)(getattr(found, module))
    app.callback(invoke_without_command=True)(_root)
    return app


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
        given = sys.argv[1:] if arguments is None else arguments
        code: Any = build(given[0] if given and given[0] in COMMANDS else "")(given, standalone_mode=False)
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
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] == "steelyard":
            raise
        lacking = not_installed("this", error.name or "")
        print(f"steelyard: {lacking}", file=sys.stderr)
        return lacking.exit_code
    except Exception as error:
        if not hasattr(error, "show"):  # a usage error of the command-line library knows how to show itself
            raise
        error.show()
        return BAD_INPUT
