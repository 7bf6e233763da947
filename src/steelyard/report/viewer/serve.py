"""`steelyard view`: binds a port, says where, serves until Ctrl-C."""

from __future__ import annotations

import os
import secrets
import socket
import sys
import threading
import webbrowser
from typing import Any

from steelyard.core.errors import STOPPED, InputError, MissingError
from steelyard.report.viewer.guard import is_loopback

PORT = 8765
TRIED = 20  # ports tried upwards where none was asked for


def view(pool: str | None, *, port: int | None, host: str, token: str, open_browser: bool) -> None:
    """Serve the pool until Ctrl-C.

    port: None takes the first free one from 8765 on, 0 any. token: needed, and made where none is given, on a host that
    others can reach. Raises MissingError where there is no pool or the port is taken, InputError for a host that is none.
    """
    if token and (len(token) < 8 or not token.isascii() or not token.isprintable()):
        raise InputError("--token is too short or holds odd characters.", "Use eight or more plain characters.")
    if not token and not is_loopback(host):
        token = secrets.token_urlsafe(24)
    bound = bind(host, port)
    import uvicorn

    from steelyard.report.viewer.app import make_app

    app = make_app(pool, host=host, token=token)

    class Server(uvicorn.Server):
        def handle_exit(self, sig: int, frame: Any) -> None:
            self.should_exit = self.force_exit = True

    address = address_of(host, bound.getsockname()[1], token)
    print(f"steelyard: {app.state.store.pool.path} is at  {address}", flush=True)
    print("Ctrl-C stops it.", flush=True)
    threading.Thread(target=app.state.warm, daemon=True).start()
    if open_browser:
        threading.Timer(0.5, webbrowser.open, [address]).start()
    config = uvicorn.Config(
        app, log_level="warning", access_log=False, server_header=False, timeout_graceful_shutdown=1,
        limit_concurrency=200, proxy_headers=False, lifespan="off",
    )  # fmt: skip
    server = Server(config)
    try:
        server.run(sockets=[bound])
    except KeyboardInterrupt:
        pass
    if server.force_exit:
        print("steelyard: stopped.", file=sys.stderr, flush=True)
        sys.stdout.flush()
        os._exit(STOPPED)  # a question still under way in a thread of DuckDB's would abort an orderly end


def bind(host: str, port: int | None) -> socket.socket:
    """A listening socket on `port`, or on the first free one from PORT on where that is None."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    number = PORT if port is None else port
    while True:
        made = socket.socket(family, socket.SOCK_STREAM)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            made.bind((host, number))
            made.listen(128)
            return made
        except socket.gaierror as error:
            made.close()
            raise InputError(f"--host {host!r} is no address of this machine.", "Use 127.0.0.1, or 0.0.0.0.") from error
        except OSError as error:
            made.close()
            if port is not None or number == PORT + TRIED:
                raise MissingError(
                    f"port {number} on {host} cannot be used: {error.strerror or error}.",
                    "Name another with --port, or leave it out: the next free one is taken.",
                ) from error
            number += 1


def address_of(host: str, port: int, token: str) -> str:
    """Where a browser finds it."""
    name = host if host not in ("0.0.0.0", "::") else os.uname().nodename
    name = f"[{name}]" if ":" in name else name
    return f"http://{name}:{port}/" + (f"?token={token}" if token else "")
