"""Around the money of one account: its people and keys, what runs on it, what was said to it, what staff did."""

from datetime import datetime

from accounts import invitations, staff_acts
from accounts.models import Account, ApiKey, StaffAct, StaffNote
from alerts.models import Notification, Rule
from billing.models import StaffNotice
from billing.money import usd
from billing.selectors import Funds
from thinnest_billing.staff.panels import Cell, Panel, list_url, moment, panel, row_url
from usage import campaigns, phone_numbers, rate_card
from usage.models import Flag, PhoneNumber

FEW, SOME = 10, 20


def asked(account: Account) -> Panel:
    """Flagged charges, open ones first."""
    found = Flag.objects.filter(account_id=account.pk).order_by("answered_at", "created_at")
    rows = (
        [Cell(row.text, row_url(row)), row.created_at, row.get_outcome_display(), row.answer]
        for row in sorted(found[:SOME], key=lambda row: row.outcome != Flag.Outcome.OPEN)
    )
    return panel(
        "flags", "Flagged charges", ("Question", "When", "State", "Answer"), rows,
        more=list_url("usage_flag", q=account.public_id),
    )  # fmt: skip


def notes(account: Account) -> Panel:
    found = (
        StaffNote.objects.filter(account_id=account.pk).select_related("written_by").order_by("-written_at")
    )
    rows = ([row.written_at, row.written_by.email, row.text] for row in found[:SOME])
    return panel("notes", "Notes of staff", ("When", "By", "Note"), rows, empty="Nobody wrote one.")


def acts(account: Account) -> Panel:
    found = StaffAct.objects.filter(account_id=account.pk).select_related("staff").order_by("-at")
    rows = ([row.at, staff_acts.by(row), row.act, row.target, row.reason] for row in found[:SOME])
    return panel(
        "acts", "What staff did", ("When", "By", "Act", "On", "Reason"), rows,
        more=list_url("accounts_staffact", q=account.public_id),
    )  # fmt: skip


def people_panels(account: Account, funds: Funds, *, now: datetime) -> list[Panel]:
    return [
        members(account),
        keys(account, now=now),
        numbers(account, funds, now=now),
        campaigns_of(account, funds, now=now),
        rules(account),
        told(account),
        notices(account),
    ]


def members(account: Account) -> Panel:
    rows: list[list[object]] = [
        [
            Cell(user.email, row_url(user)), user.public_id, user.get_role_display(),
            "" if user.is_active else "inactive", moment(user.email_confirmed_at), moment(user.last_login),
        ]
        for user in account.members.order_by("created_at")[:SOME]
    ]  # fmt: skip
    rows += [
        [row.email, row.public_id, row.get_role_display(), "invited", "", row.created_at]
        for row in invitations.open_of(account.pk)[:SOME]
    ]
    headings = ("Email", "Id", "Role", "", "Confirmed", "Last sign-in or invitation")
    return panel("members", "Members and invitations", headings, rows)


def keys(account: Account, *, now: datetime) -> Panel:
    rows = (
        [
            Cell(row.name, row_url(row)), f"{row.prefix}…", ", ".join(row.scopes),
            "usable" if row.is_usable(now) else "revoked or expired", moment(row.last_used_at), row.public_id,
        ]
        for row in ApiKey.objects.filter(account_id=account.pk).order_by("revoked_at", "-created_at")[:SOME]
    )  # fmt: skip
    return panel("keys", "API keys", ("Name", "Begins with", "It may", "", "Last used", "Id"), rows)


def numbers(account: Account, funds: Funds, *, now: datetime) -> Panel:
    found = PhoneNumber.objects.filter(account_id=account.pk).order_by("-rented_at")[:FEW]
    runs = ((row, phone_numbers.state_of(row, funds, now=now)) for row in found)
    rows = ([str(row), run.label, run.reason, row.paid_until, row.public_id] for row, run in runs)
    return panel("numbers", "Phone numbers", ("Number", "State", "Why", "Paid until", "Id"), rows)


def campaigns_of(account: Account, funds: Funds, *, now: datetime) -> Panel:
    minute = rate_card.fresh().rate("voice.minute", now)
    rows = []
    for row in campaigns.of_account(account.pk)[:FEW]:
        run = campaigns.state_of(row, funds, now=now, voice_minute=minute)
        rows.append([row.name, run.label, run.reason, row.created_at, row.public_id])
    return panel("campaigns", "Campaigns", ("Name", "State", "Why", "Made", "Id"), rows)


def rules(account: Account) -> Panel:
    rows = (
        [row.get_kind_display(), usd(row.amount), row.get_channel_display(), moment(row.told_at)]
        for row in Rule.objects.filter(account_id=account.pk).order_by("kind", "amount")[:SOME]
    )
    return panel("rules", "Alert rules", ("Watches", "Bound", "By", "Last told"), rows)


def told(account: Account) -> Panel:
    rows = (
        [
            Cell(row.title, row_url(row)),
            row.created_at,
            row.get_level_display(),
            "emailed" if row.emailed else "",
        ]
        for row in Notification.objects.filter(account_id=account.pk).order_by("-created_at")[:FEW]
    )
    return panel(
        "told", "What its members were told", ("Title", "When", "Level", ""), rows,
        more=list_url("alerts_notification", q=account.public_id),
    )  # fmt: skip


def notices(account: Account) -> Panel:
    rows = (
        [Cell(row.text, row_url(row)), row.created_at, moment(row.done_at) or "open"]
        for row in StaffNotice.objects.filter(account_id=account.pk).order_by("-created_at")[:FEW]
    )
    return panel(
        "notices", "Notices to staff", ("Notice", "When", "Looked after"), rows,
        more=list_url("billing_staffnotice", q=account.public_id),
    )  # fmt: skip
