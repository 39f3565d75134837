"""The export as a stream: memory stays the same however much there is, and no transaction waits for a slow reader.

Small files are read in one moment together with the balance; the ledger, the charges and the days are append-only and
are read afterwards, up to that balance. So everything agrees, without a cursor that PgBouncer could not keep.
"""

from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from tempfile import SpooledTemporaryFile
from typing import IO
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from accounts.models import Account, User
from billing.models import Balance
from billing.verify import snapshot
from thinnest_billing.export import readme
from thinnest_billing.export.contents import files_for
from thinnest_billing.export.table import Asked, File

PIECE = 64 * 1024  # bytes handed on at once
IN_MEMORY = 256 * 1024  # bytes of a small file, before it waits on the disk
READABLE = 0o600 << 16
Part = tuple[str, Iterable[bytes]]


def export(user: User, *, now: datetime) -> Iterator[bytes]:
    """The bytes of the ZIP. What is left unread is closed with the generator."""
    with ExitStack() as kept:
        asked, waiting = _read_small(user, kept, now=now)
        large = [(file.name, file.text(asked)) for file in files_for(asked) if not file.is_small]
        yield from zipped([*waiting, *large], now=now)


def _read_small(user: User, kept: ExitStack, *, now: datetime) -> tuple[Asked, list[Part]]:
    with snapshot():
        account = Account.objects.get(members=user)
        asked = Asked(account, user, Balance.objects.get(pk=account.pk))
        files = files_for(asked)
        parts: list[Part] = [("README.txt", [readme.text(asked, files, now=now).encode()])]
        parts += [(file.name, _kept(file, asked, kept)) for file in files if file.is_small]
    return asked, parts


def _kept(file: File, asked: Asked, kept: ExitStack) -> Iterator[bytes]:
    """Read now, to be handed on later."""
    spool: IO[bytes] = kept.enter_context(SpooledTemporaryFile(max_size=IN_MEMORY))  # noqa: SIM115  `kept` closes it
    spool.writelines(file.text(asked))
    spool.seek(0)
    return iter(lambda: spool.read(PIECE), b"")


class _Sink:
    """A file that can only be written on, as a response is."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []
        self.size = 0

    def write(self, piece: bytes) -> int:
        self.pieces.append(bytes(piece))
        self.size += len(piece)
        return len(piece)

    def flush(self) -> None: ...

    def taken(self) -> bytes:
        whole, self.pieces, self.size = b"".join(self.pieces), [], 0
        return whole


def zipped(parts: Iterable[Part], *, now: datetime) -> Iterator[bytes]:
    """A ZIP of named texts. One that breaks off has no directory: nobody takes it for whole."""
    sink = _Sink()
    with ZipFile(sink, "w", ZIP_DEFLATED) as archive:  # type: ignore[call-overload]  # it asks for no more than this
        for name, pieces in parts:
            info = ZipInfo(name, now.astimezone(UTC).timetuple()[:6])
            info.compress_type, info.external_attr = ZIP_DEFLATED, READABLE
            with archive.open(info, "w", force_zip64=True) as member:
                for piece in pieces:
                    member.write(piece)
                    if sink.size >= PIECE:
                        yield sink.taken()
    yield sink.taken()
