"""One person, one address: the same mailbox spelt differently is the same address."""

DOTS_DO_NOT_COUNT = {"gmail.com", "googlemail.com"}


def normalised(email: str) -> str:
    """Lower case, without `+tag`, and without dots at gmail."""
    local, _, domain = email.strip().lower().rpartition("@")
    local = local.partition("+")[0]
    if domain in DOTS_DO_NOT_COUNT:
        local, domain = local.replace(".", ""), "gmail.com"
    return f"{local}@{domain}"
