"""Why a request was refused: one class per reason. The apps to the right derive their own from `Problem`.

A Problem answers as RFC 9457 `application/problem+json`: `title` says what happened, `detail` what to do
next. The class docstrings are printed on the API's docs page.
"""

from collections.abc import Mapping, Sequence

from django.conf import settings


class Problem(Exception):
    """The request was refused."""

    status = 400
    code = "bad_request"
    title = "The request was refused."

    def __init__(
        self,
        detail: str = "",
        *,
        headers: Mapping[str, str] | None = None,
        errors: Sequence[Mapping[str, str]] | None = None,
        **extra: object,
    ) -> None:
        super().__init__(detail or self.title)
        self.detail = detail or self.title
        self.headers = dict(headers or {})
        self.errors = list(errors or [])
        self.extra = extra

    def body(self, request_id: str) -> dict[str, object]:
        """What the caller reads; `extra` carries the reason's own members (balance, required, …)."""
        body: dict[str, object] = {
            "type": f"{settings.SITE_URL}/billing/docs#{self.code}",
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
            "code": self.code,
            "request_id": request_id,
        }
        if self.errors:
            body["errors"] = self.errors
        return body | self.extra


class Unauthorized(Problem):
    """No key, a mistyped one, or one that is unknown, expired or revoked."""

    status = 401
    code = "unauthorized"
    title = "The API key is missing or not valid."

    def __init__(self, detail: str = "") -> None:
        super().__init__(
            detail or "Send a valid key as `Authorization: Bearer tb_…`.",
            headers={"WWW-Authenticate": "Bearer"},
        )


class MissingScope(Problem):
    """The key is valid but was not made for this. `required_scope` names what is missing."""

    status = 403
    code = "missing_scope"
    title = "This key may not do that."


class NotFound(Problem):
    """Nothing of yours is at this address. What belongs to somebody else answers the same."""

    status = 404
    code = "not_found"
    title = "There is nothing here."


class AccountNotFound(NotFound):
    """The named account does not exist or is not the key's own."""

    code = "account_not_found"
    title = "There is no such account."

    def __init__(self) -> None:
        super().__init__("Name an account (acct_…) that this key may act for.")


class MethodNotAllowed(Problem):
    """This address exists, but not for this method; the `Allow` header lists the ones it takes."""

    status = 405
    code = "method_not_allowed"
    title = "This address does not take that method."


class BodyTooLarge(Problem):
    """The body is larger than this endpoint takes; nothing of it was read."""

    status = 413
    code = "body_too_large"
    title = "The body is too large."


class UnsupportedMediaType(Problem):
    """Bodies are JSON."""

    status = 415
    code = "unsupported_media_type"
    title = "The body must be JSON."

    def __init__(self) -> None:
        super().__init__("Send the header `Content-Type: application/json` (UTF-8).")


class InvalidJson(Problem):
    """The body is not JSON as we read it: no NaN, no repeated keys, 8 levels, integers up to 18 digits."""

    status = 400
    code = "invalid_json"
    title = "The body could not be read as JSON."


class Invalid(Problem):
    """One or more fields are missing, unknown or out of range; `errors` names each with what is allowed."""

    status = 422
    code = "invalid_request"
    title = "The request is not valid."

    @classmethod
    def at(cls, pointer: str, detail: str, **extra: object) -> "Invalid":
        """One field is wrong: `Invalid.at("/amount", "Send at least 5.00.")`."""
        return cls(detail, errors=[{"pointer": pointer, "detail": detail}], **extra)


class TooManyRequests(Problem):
    """More requests than the limit allows; `Retry-After` says how many seconds to wait."""

    status = 429
    code = "rate_limited"
    title = "Too many requests."

    def __init__(
        self, detail: str = "", *, retry_after: int, headers: Mapping[str, str] | None = None, **extra: object
    ) -> None:
        waiting = {"Retry-After": str(retry_after)} | dict(headers or {})
        super().__init__(detail or f"Wait {retry_after} seconds, then try again.", headers=waiting, **extra)


class DatabaseAway(Problem):
    """The database did not answer. It may have happened or not: send the same request again, that is safe."""

    status = 503
    code = "unavailable"
    title = "The service is not available at the moment."

    def __init__(self) -> None:
        super().__init__("Send the same request again in a second.", headers={"Retry-After": "1"})


class ServerError(Problem):
    """Something failed on our side and was logged under the request id. It may be sent again."""

    status = 500
    code = "internal_error"
    title = "Something went wrong on our side."
