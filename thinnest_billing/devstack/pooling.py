"""PgBouncer in transaction mode before the tests' cluster, from Debian's package: `make test-pgbouncer`.

Two transactions of one client may meet two servers, so whatever relies on a session's state fails.
"""

import shutil
import subprocess
from pathlib import Path

from thinnest_billing.devstack.processes import spawn, stop, wait_until
from thinnest_billing.devstack.services import answers, own, socket_folder

CONFIG = """[databases]
* = host={postgres} user=postgres
[pgbouncer]
listen_addr =
unix_socket_dir = {folder}
listen_port = 6432
auth_type = any
pool_mode = transaction
default_pool_size = 20
max_client_conn = 500
ignore_startup_parameters = extra_float_digits
log_connections = 0
log_disconnections = 0
"""


class PgBouncer:
    """Pools the clients of the PostgreSQL whose socket lies in `postgres`."""

    def __init__(self, home: Path, *, postgres: str) -> None:
        self.home, self.log, self.config = home, home / "log", home / "pgbouncer.ini"
        self.postgres = postgres
        self.folder: Path | None = None
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> str:
        program = shutil.which("pgbouncer", path="/usr/sbin:/usr/bin:/usr/local/bin:/opt/homebrew/bin")
        if program is None:
            raise SystemExit("pgbouncer is not installed: apt-get install pgbouncer")
        self.home.mkdir(mode=0o755)
        own(self.home)
        self.folder = socket_folder(self.home, ".s.PGSQL.6432")
        own(self.folder)
        self.config.write_text(CONFIG.format(postgres=self.postgres, folder=self.folder))
        self.config.chmod(0o644)
        self.process = spawn([program, self.config], log=self.log, drop_root=True)
        socket = self.folder / ".s.PGSQL.6432"
        wait_until(lambda: answers(socket), self.process, self.log)
        return f"postgres://postgres@:6432/postgres?host={self.folder}"

    def stop(self) -> None:
        if self.process:
            stop(self.process)
