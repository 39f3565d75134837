"""Refusals about money, each with a sentence that tells the person what to do next."""

from accounts.errors import AccountNotFound, Problem


class NoBalance(AccountNotFound):
    """There is no such account, or its owner has not confirmed the email address yet."""


class KeyReused(Problem):
    """The same key was used before for another amount or request."""

    status = 422
    code = "key_reused"
    title = "This key was used before for something else."


class NotEnough(Problem):
    """A debit by staff that the balance does not cover."""

    status = 422
    code = "not_enough"
    title = "The balance does not cover this."


class InsufficientBalance(Problem):
    """What was asked for does not fit the available balance. Nothing was charged; add funds and send it again."""

    status = 402
    code = "insufficient_balance"
    title = "The available balance does not cover this."


class SpendingFrozen(Problem):
    """Spending on this account is frozen by its owner or by staff. Nothing was charged."""

    status = 403
    code = "spending_frozen"
    title = "Spending is frozen on this account."


class HoldNotFound(Problem):
    """The account has no hold with this id."""

    status = 404
    code = "hold_not_found"
    title = "There is no such hold."


class HoldEnded(Problem):
    """A hold ends once: it was already captured, or already released."""

    status = 409
    code = "hold_ended"
    title = "This hold has already ended another way."
