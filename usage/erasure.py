"""What is personal among the rows of usage: notes, the words of flags, and names that people gave."""

from uuid import UUID

from django.db.models import CharField, Value
from django.db.models.functions import Cast, Concat, Lower, Right

from usage.models import Agent, Campaign, ChargeNote, Flag, PhoneNumber

AT_ONCE = 10_000  # notes a transaction
ERASED = "Erased"


def erase_notes(account_id: UUID) -> None:
    """In pieces that commit by themselves: an account may have a million. Repeatable, at any point."""
    notes = ChargeNote.objects.filter(account_id=account_id)
    while ids := list(notes.values_list("pk", flat=True)[:AT_ONCE]):
        notes.filter(pk__in=ids).delete()


def erase(account_id: UUID) -> None:
    """Charges, quantities and amounts stay; a number keeps its last four digits. Repeatable."""
    Flag.objects.filter(account_id=account_id).update(text="", answer="")
    name = Concat(Value(f"{ERASED} "), Right(Cast("id", CharField()), 12))
    Agent.objects.filter(account_id=account_id).update(name=name, name_key=Lower(name))
    Campaign.objects.filter(account_id=account_id).update(name=ERASED)
    PhoneNumber.objects.filter(account_id=account_id).exclude(number="").update(
        number=Concat(Value("•••• "), Right("number", 4))
    )
