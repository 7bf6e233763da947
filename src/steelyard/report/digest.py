"""`steelyard digest`: tell a reader by mail which verdicts changed since the last time he was told."""

from __future__ import annotations

import hashlib
import html
import json
import os
import smtplib
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime, make_msgid, parseaddr
from pathlib import Path
from typing import Any

from steelyard.core.errors import InputError, MissingError, unknown
from steelyard.report.changes import changes, measured_since, moment, verdict_line
from steelyard.report.untrusted import visible

SECURITY = ("starttls", "ssl", "none")
FIRST = "7d"  # how far back a reader's first digest looks


@dataclass(frozen=True)
class Server:
    """Where mail is handed in. password comes from the environment only: an option would show in the list of processes."""

    host: str
    port: int
    security: str = "starttls"
    user: str = ""
    password: str = ""


def server_of(smtp: str, security: str, user: str) -> Server:
    """The server from the options, else from STEELYARD_SMTP (HOST or HOST:PORT), _SECURITY, _USER and _PASSWORD.

    Raises InputError for no server, a bad port or an unknown kind of security.
    """
    place = smtp or os.environ.get("STEELYARD_SMTP", "")
    security = security or os.environ.get("STEELYARD_SMTP_SECURITY", "starttls")
    if not place:
        raise InputError(
            "no mail server is named.", "Give --smtp HOST[:PORT] or set STEELYARD_SMTP; or --dry-run FILE.eml."
        )
    if security not in SECURITY:
        raise unknown("security", security, SECURITY, where="--security")
    host, _, port = place.rpartition(":") if ":" in place else (place, "", "465" if security == "ssl" else "587")
    if not host or not port.isdigit() or not 0 < int(port) < 65536:
        raise InputError(f"--smtp is {place!r}.", "Write HOST or HOST:PORT.")
    return Server(host, int(port), security, user or os.environ.get("STEELYARD_SMTP_USER", ""),
                  os.environ.get("STEELYARD_SMTP_PASSWORD", ""))  # fmt: skip


def compose(
    changed: Sequence[Mapping[str, Any]], measured: Sequence[Mapping[str, Any]], *, to: str, sender: str, since: float,
    now: float,
) -> EmailMessage:  # fmt: skip
    """The mail: what changed as text, and the same as HTML. Raises InputError for what is no address."""
    for option, address in (("--to", to), ("--from", sender)):
        if "@" not in parseaddr(address)[1] or any(c in address for c in "\r\n"):
            raise InputError(f"{option}: {address!r} is no mail address.", "Write name@example.org.")
    day = datetime.fromtimestamp(since, UTC).strftime("%Y-%m-%d %H:%M UTC")
    count = f"{len(changed)} verdict{'' if len(changed) == 1 else 's'} changed"
    lines, items = [f"{count} since {day}.", ""], []
    for row in changed:
        name = f"{row['card']}/{row['claim']}"
        parts = [str(visible(p)) for p in (verdict_line(row), f"{row['says']} ({row['source']})", f"Because of {row['why']}.",
                                            f"Scale: {row['scale']}. Look: {row['command']} --no-measure")]  # fmt: skip
        lines += [f"{name} ({row['system']})", *(f"  {part}" for part in parts), ""]
        inside = "<br>".join(map(html.escape, parts))
        items.append(f"<li><b>{html.escape(name)}</b> ({html.escape(row['system'])})<br>{inside}</li>")
    fresh = [f"{m['benchmark']}: {m['rows']:,} measurements of {len(m['contenders'])} contenders" for m in measured]
    lines += ["Measured meanwhile:", *(f"  {visible(line)}" for line in fresh)]
    listed = "".join(f"<li>{html.escape(str(visible(line)))}</li>" for line in fresh)
    mail = EmailMessage()
    mail["Subject"] = f"steelyard: {count}"
    mail["From"], mail["To"] = sender, to
    mail["Date"] = format_datetime(datetime.fromtimestamp(now, UTC))
    mail["Message-ID"] = make_msgid(domain=parseaddr(sender)[1].partition("@")[2])
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content("\n".join(lines) + "\n")
    mail.add_alternative(
        f"<!doctype html><html><body><p>{html.escape(lines[0])}</p><ul>{''.join(items)}</ul>"
        f"<p>Measured meanwhile:</p><ul>{listed}</ul></body></html>\n", subtype="html",
    )  # fmt: skip
    return mail


def send(mail: EmailMessage, server: Server) -> None:
    """Hand `mail` to the server. Raises MissingError where it cannot be reached or refuses."""
    kind = smtplib.SMTP_SSL if server.security == "ssl" else smtplib.SMTP
    try:
        with kind(server.host, server.port, timeout=30) as connection:
            if server.security == "starttls":
                import ssl

                connection.starttls(context=ssl.create_default_context())
            if server.user:
                connection.login(server.user, server.password)
            connection.send_message(mail)
    except (OSError, smtplib.SMTPException) as error:
        cure = "Check --smtp, --security (starttls, ssl, none), STEELYARD_SMTP_USER and STEELYARD_SMTP_PASSWORD."
        raise MissingError(f"mail server {server.host}:{server.port}: {error}.", cure) from error


def digest(
    *, to: str, sender: str, follow: Sequence[str], since: str, smtp: str, security: str, user: str, dry_run: Path | None,
    pool: str | None,
) -> str:  # fmt: skip
    """`steelyard digest`: what was done, in a line.

    Without `since` it looks back to the last digest sent to this reader (the first one: a week). Only a mail that was
    taken by the server moves that moment, so a failure is made up for by the next digest.
    """
    from steelyard.pool import Pool

    now = time.time()
    store = Pool(pool, readonly=True)
    mark = _mark(to, store.path, follow)
    told = _last(mark)
    start = moment(store, since or FIRST, now) if since or told is None else told
    server = None if dry_run else server_of(smtp, security, user)
    changed, measured = changes(store, start, follow)
    sender = sender or os.environ.get("STEELYARD_FROM", "") or to
    mail = compose(changed, measured, to=to, sender=sender, since=start, now=now)
    if dry_run:
        dry_run.write_bytes(bytes(mail))
        return f"wrote {dry_run}: {len(changed)} changed verdicts; nothing was sent"
    if changed and server:
        send(mail, server)
    # The newest measurement that was seen, not now: what is under way at this moment is told of next time.
    newest = max([start, told or start, *(m["last"] for m in measured_since(store, start))])
    mark.parent.mkdir(parents=True, exist_ok=True)
    mark.write_text(json.dumps({"to": to, "until": newest}), encoding="utf-8")
    return f"sent {len(changed)} changed verdicts to {to}" if changed else "no verdict changed; no mail was sent"


def _mark(to: str, pool: str, follow: Sequence[str]) -> Path:
    import platformdirs

    key = hashlib.sha256(json.dumps([to, str(pool), sorted(follow)]).encode()).hexdigest()[:24]
    return platformdirs.user_state_path("steelyard") / "digests" / f"{key}.json"


def _last(mark: Path) -> float | None:
    """The newest measurement that this reader was told of (seconds since the epoch); None for a new reader."""
    try:
        return float(json.loads(mark.read_text(encoding="utf-8"))["until"])
    except (OSError, ValueError, KeyError):
        return None
