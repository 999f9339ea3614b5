"""Nothing is downloaded unasked: while somebody else's loader runs, this thread reaches no other machine.

Loaders such as `mace_mp` fetch weights when called; inside `no_downloads` the attempt fails at once and is remembered,
so that the user reads what was wanted instead of waiting for a timeout.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

LOCAL = ("localhost", "127.0.0.1", "::1", "", None)
_lock = threading.Lock()
_watched: dict[int, list[str]] = {}
_originals: list[tuple[Any, str, Any]] = []


class DownloadRefused(OSError):
    """A connection that was not made."""


@contextmanager
def no_downloads() -> Iterator[list[str]]:
    """Refuse connections of this thread to other machines; gives the list of the hosts that were asked for."""
    me, hosts = threading.get_ident(), []
    with _lock:
        outer = _watched.get(me)
        _watched[me] = hosts
        if not _originals:
            _install()
    try:
        yield hosts
    finally:
        with _lock:
            if outer is None:
                del _watched[me]
            else:
                _watched[me] = outer
            if not _watched:
                _remove()


def _install() -> None:
    def guarded(owner: Any, name: str, host_of: Any) -> None:
        original = getattr(owner, name)

        def ask(*args: Any, **options: Any) -> Any:
            hosts = _watched.get(threading.get_ident())
            host = host_of(args, options)
            if hosts is not None and host not in LOCAL:
                hosts.append(str(host))
                raise DownloadRefused(f"labkit downloads nothing unasked: {host} was not contacted.")
            return original(*args, **options)

        _originals.append((owner, name, original))
        setattr(owner, name, ask)

    guarded(socket, "getaddrinfo", lambda args, options: args[0] if args else options.get("host"))
    guarded(socket, "create_connection", lambda args, options: (args[0] if args else options["address"])[0])


def _remove() -> None:
    for owner, name, original in reversed(_originals):
        setattr(owner, name, original)
    _originals.clear()
