"""What a visitor of the trial needs: sign-ins, and keys whose plain text exists only in this file.

It lies in the trial's data folder, readable by its owner only, and never in the repository.
"""

import json
import os
import secrets
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from pathlib import Path
from uuid import UUID

from accounts import api_keys
from accounts.models import Account, ApiKey, Scope, User
from thinnest_billing.devstack import trial
from thinnest_billing.devstack.services import Postgres

PASSWORDS = ("demo-password", "staff-password")  # everybody may know them: only for the trial's own database
NAME = "Demo"  # of both keys


@dataclass(frozen=True, slots=True)
class Credentials:
    """Public ids, addresses and plain keys. `platform_key` acts as the agent platform, `api_key` as the owner."""

    account: str
    user: str
    email: str
    password: str
    api_key: str
    payment_method_id: str
    platform_key: str
    staff_email: str
    staff_password: str


def default_file() -> Path:
    return trial.make_home() / "demo.json"


def keep(account: Account, owner: User, staff: User, *, card: str, file: Path, now: datetime) -> Credentials:
    """What the file holds, or new keys in it where its keys are not (or no longer) those of this database."""
    known = read(file)
    if known is not None and known.account == account.public_id and are_live(known, now=now):
        return known
    password, staff_password = set_passwords(owner, staff)
    made = Credentials(
        account=account.public_id, user=owner.public_id, email=owner.email, password=password,
        api_key=new_key(account, Scope.values, now=now), payment_method_id=card,
        platform_key=new_key(None, [scope for scope in Scope if scope != Scope.TOPUP_WRITE], now=now),
        staff_email=staff.email, staff_password=staff_password,
    )  # fmt: skip
    write(made, file)
    return made


def set_passwords(*people: User) -> tuple[str, ...]:
    """Ones to remember where only this machine can sign in; else nobody could guess them."""
    chosen = PASSWORDS if is_own_database() else tuple(secrets.token_urlsafe(12) for _ in people)
    for person, password in zip(people, chosen, strict=True):
        person.set_password(password)
        person.save(update_fields=["password"])
    return chosen


def is_own_database() -> bool:
    """Whether we work on the trial's own PostgreSQL, not on one that DATABASE_URL named."""
    return os.environ.get("DATABASE_URL") == Postgres(trial.home() / "pg").running()


def are_live(known: Credentials, *, now: datetime) -> bool:
    digests = [api_keys.digest(plain) for plain in (known.api_key, known.platform_key)]
    return sum(key.is_usable(now) for key in ApiKey.objects.filter(digest__in=digests)) == len(digests)


def new_key(account: Account | None, scopes: Iterable[str], *, now: datetime) -> str:
    """The older keys of this name go: nobody knows them any more."""
    ApiKey.objects.filter(account=account, name=NAME, revoked_at=None).update(revoked_at=now)
    return api_keys.create(account=account, name=NAME, scopes=scopes, now=now)[1]


def key_id(plain: str) -> UUID:
    return ApiKey.objects.values_list("id", flat=True).get(digest=api_keys.digest(plain))


def read(file: Path) -> Credentials | None:
    try:
        found = json.loads(file.read_text())
        return Credentials(**{field.name: str(found[field.name]) for field in fields(Credentials)})
    except (OSError, ValueError, KeyError, TypeError):
        return None


def write(made: Credentials, file: Path) -> None:
    file.unlink(missing_ok=True)
    file.touch(mode=0o600, exist_ok=False)
    file.write_text(json.dumps(asdict(made), indent=2) + "\n")
