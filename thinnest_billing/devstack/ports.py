"""The one port the trial takes: the web's."""

import errno
import socket

FIRST_PORT = 8000


def choose_port(wanted: str) -> int:
    """The wanted port, or 8000, or the next free one."""
    if not wanted:
        return next(port for port in range(FIRST_PORT, 65536) if is_free(port))
    if not wanted.isdecimal() or not 0 < int(wanted) < 65536:
        raise SystemExit(f"PORT={wanted} is not a port: write a number from 1 to 65535.")
    if not is_free(int(wanted)):
        raise SystemExit(f"Port {wanted} is taken. Without PORT the next free one is used.")
    return int(wanted)


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            if error.errno == errno.EACCES:
                raise SystemExit(f"Port {port} needs root: choose one above 1023.") from error
            return False
    return True
