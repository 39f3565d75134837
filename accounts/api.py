"""Who asks, how often, and with what body: the first half of the API's conventions, once for every endpoint.

An endpoint says `auth=key(Scope.USAGE_WRITE, body_limit=…)` and returns `answers.answer(201, {...})`; every
refusal is a `Problem`. Order of refusals: 401, 429, 413 / 415 / 400, 403 missing_scope, 404, 422.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from uuid import UUID

from django.conf import settings
from django.http import HttpRequest
from ninja.security import HttpBearer

from accounts import callers, ids, json, limits
from accounts.callers import Caller
from accounts.errors import (
    AccountNotFound,
    BodyTooLarge,
    Invalid,
    InvalidJson,
    MissingScope,
    Problem,
    UnsupportedMediaType,
)
from accounts.models import Account

Locate = Callable[[HttpRequest, object], None]


def key(
    scope: str, *, body_limit: int | None = None, locate: Locate | None = None, body_optional: bool = False,
    proved_later: bool = False,
) -> "Bearer":  # fmt: skip
    """The `auth=` of one operation; see Bearer."""
    return Bearer(
        scope, body_limit=body_limit, locate=locate, body_optional=body_optional, proved_later=proved_later
    )


class Bearer(HttpBearer):
    """Authenticates one operation, and reads its JSON body when `body_limit` (bytes) is given.

    Sets `request.caller` and `request.data`. `locate(request, data)` raises what must be told before a 422
    (ids in the path that do not exist); it runs only when validation failed: the good path pays nothing.

    `proved_later`: the operation's own statement proves that the key is live, and raises Unauthorized where it is not.
    Then a key that this process knows is asked about only before a refusal (answers.problem): 401 comes first.
    """

    def __init__(
        self,
        scope: str,
        *,
        body_limit: int | None,
        locate: Locate | None,
        body_optional: bool,
        proved_later: bool,
    ) -> None:
        super().__init__()
        self.scope, self.locate, self.proved_later = scope, locate, proved_later
        self.body_limit, self.body_optional = body_limit, body_optional

    def __call__(self, request: HttpRequest) -> Caller:
        header, now = request.META.get("HTTP_AUTHORIZATION", ""), datetime.now(UTC)
        known = callers.recall(header, now=now) if self.proved_later else None
        request.is_unproved = known is not None
        caller = known or callers.authenticate(header, now=now)
        request.caller, request.data, request.locate = caller, None, self.locate
        limits.spend(caller.key_id, limit=_rate(caller))
        if "%00" in request.META.get("QUERY_STRING", ""):
            raise Problem("The address must not contain NUL (%00).")
        if self.body_limit is not None and not (self.body_optional and not _announced(request)):
            request.data = read_json(request, limit=self.body_limit)
        if self.scope not in caller.scopes:
            raise MissingScope(f"Use a key with the scope {self.scope}.", required_scope=self.scope)
        return caller

    def authenticate(self, request: HttpRequest, token: str) -> Caller:
        return self(request)


def prove(request: HttpRequest) -> None:
    """Ask now about the key of a request that was taken on trust. Raises Unauthorized."""
    if getattr(request, "is_unproved", False):
        request.is_unproved = False
        callers.authenticate(request.META["HTTP_AUTHORIZATION"], now=datetime.now(UTC))


def _rate(caller: Caller) -> int:
    return settings.RATE_PLATFORM_KEY if caller.account_id is None else settings.RATE_ACCOUNT_KEY


def read_json(request: HttpRequest, *, limit: int) -> object:
    """The body as strict JSON; 413 by its announced length, before a byte of it is read."""
    if _announced(request) > limit:
        raise BodyTooLarge(f"Send at most {limit:,} bytes.")
    if request.content_type != "application/json" or _charset(request) != "utf-8":
        raise UnsupportedMediaType()
    try:
        raw = request.body
    except OSError:  # the caller hung up; nobody reads this answer
        raise InvalidJson("The body ended too early.") from None
    if len(raw) > limit:
        raise BodyTooLarge(f"Send at most {limit:,} bytes.")
    if not raw:
        raise InvalidJson("The body is empty. Send JSON, with its Content-Length.")
    return json.loads(raw)


def _announced(request: HttpRequest) -> int:
    """How many bytes the body has, by its header; Django reads no more than that."""
    length = request.META.get("CONTENT_LENGTH") or "0"
    return int(length) if length.isdecimal() and len(length) < 20 else 0


def _charset(request: HttpRequest) -> str:
    return request.content_params.get("charset", "utf-8").lower()


def account_of(request: HttpRequest, named: str | None) -> UUID:
    """The account this request is about, not asking the database: the next query tells if it exists."""
    own = request.caller.account_id
    if named is None:
        if own is None:
            raise Invalid.at("/account", "Name the account that this is for: a platform key acts for many.")
        return own
    account_id = ids.parse("acct", named)
    if account_id is None or own not in (None, account_id):
        raise AccountNotFound()
    return account_id


def existing_account(account_id: UUID) -> Account:
    """The open account with this id, or AccountNotFound."""
    account = Account.objects.filter(pk=account_id, opened_at__isnull=False, closed_at=None).first()
    if account is None:
        raise AccountNotFound()
    return account


def locate_account(request: HttpRequest, data: object) -> None:
    """AccountNotFound if the request names an account that its key may not act for."""
    named = data.get("account") if isinstance(data, dict) else request.GET.get("account")
    if isinstance(named, str):
        account_id = account_of(request, named)
        if request.caller.is_platform:
            existing_account(account_id)
