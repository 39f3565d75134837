"""What is in the export and, with the reason, what is not. A test finds every table that is in neither."""

from thinnest_billing.export import files_money, files_people, files_usage
from thinnest_billing.export.table import Asked, File

FILES: tuple[File, ...] = (*files_people.FILES, *files_money.FILES, *files_usage.FILES)

# Tables that refer to an account or a person and are in no file.
LEFT_OUT = {
    "billing.Customer": "Only a number: under which one the payment service knows the account.",
    "billing.VerifiedThrough": "Only a mark: up to where a check of the ledger has come.",
    "billing.StaffNotice": "Work of our staff; what it is about is in the other files.",
    "accounts.StaffNote": "Working notes of our staff. They go when the account is erased; ask us to read them.",
    "accounts.StaffAct": "The log of what our staff did; what it changed is in the other files.",
    "alerts.Watched": "Only a memory of what was told last; what was told is in notifications.csv.",
    "alerts.Endpoint": "Belongs to the agent platform, not to an account.",
    "alerts.Delivery": "Messages to the agent platform; they repeat what is in notifications.csv.",
    "admin.LogEntry": "Which forms our staff saved; what it changed is in the other files.",
}


def files_for(asked: Asked) -> list[File]:
    """All of them for an owner; for other members those about themselves."""
    return [file for file in FILES if asked.is_owner or file.for_everybody]
