"""Stripe's errors as ours: what may have happened, what did not, and what only the operator can mend."""

from collections.abc import Iterator
from contextlib import contextmanager

import stripe

from billing.gateways import Misconfigured, ReferenceReused, Rejected, Unavailable


@contextmanager
def translated(*, about: str = "") -> Iterator[None]:
    """Around one call and the reading of its answer. A decline on a charge is the caller's to catch before.

    `about`: what the path names, where Stripe does not say which parameter it refuses.
    """
    try:
        yield
    except (stripe.AuthenticationError, stripe.PermissionError) as error:
        raise Misconfigured(str(error)) from error
    except stripe.IdempotencyError as error:  # 400; "still running" is a 409, an APIError
        raise ReferenceReused(str(error)) from error
    except (stripe.InvalidRequestError, stripe.CardError) as error:
        raise Rejected(
            error.user_message or str(error), error.code or "", about or error.param or ""
        ) from error
    except stripe.StripeError as error:  # network, 409, 429, 5xx, and what is not JSON
        raise Unavailable(str(error)) from error
    except AttributeError as error:  # a 200 that is none of Stripe's objects, from something in between
        raise Unavailable(f"The answer is of an unknown shape: {error}") from error
