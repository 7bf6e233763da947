"""steelyard digest: changed verdicts by mail."""

from __future__ import annotations

from pathlib import Path

import typer


def digest(
    to: str = typer.Option(..., "--to", help="The reader's address."),
    follow: list[str] = typer.Option(
        [], "--follow", help="Only what concerns this paper, benchmark or contender; repeat."
    ),
    since: str = typer.Option(
        "", "--since", help="A date, 7d, or a run. Default: the last digest sent to this reader."
    ),
    sender: str = typer.Option("", "--from", help="The sender. Default: $STEELYARD_FROM, else the reader."),
    smtp: str = typer.Option("", "--smtp", help="HOST[:PORT] of the mail server. Default: $STEELYARD_SMTP."),
    security: str = typer.Option("", "--security", help="starttls, ssl or none. Default: starttls."),
    user: str = typer.Option("", "--user", help="Login name; the password is $STEELYARD_SMTP_PASSWORD."),
    dry_run: Path = typer.Option(None, "--dry-run", help="Write the mail into this .eml file instead of sending it."),
    pool: str = typer.Option(None, "--pool", help="Where measurements are kept. Default: $STEELYARD_POOL."),
) -> None:
    """Mail a reader the verdicts that changed since he was last told; no change, no mail.

    Examples:  steelyard digest --to me@example.org --follow softmax --smtp mail.example.org
    steelyard digest --to me@example.org --since 7d --dry-run digest.eml
    """
    from steelyard.report.digest import digest as run

    print(
        run(
            to=to, sender=sender, follow=follow, since=since, smtp=smtp, security=security, user=user, dry_run=dry_run,
            pool=pool,
        )
    )  # fmt: skip
