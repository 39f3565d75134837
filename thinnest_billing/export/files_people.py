"""The files about people: the account, its members, keys, what they were told and what they asked."""

from collections.abc import Iterator
from typing import Any

from accounts import ids
from accounts.models import Account, ApiKey, Invitation, Mail, User
from alerts.models import Notification, Reader, Rule
from thinnest_billing.export.table import Asked, File, column, in_chunks
from usage.models import Flag

ROLE = "owner, admin or viewer"


def _own_flags(asked: Asked) -> Iterator[Any]:
    flags = Flag.objects.filter(account=asked.account).select_related("flagged_by")
    return in_chunks(flags if asked.is_owner else flags.filter(flagged_by=asked.user))


def _own_keys(asked: Asked) -> Iterator[Any]:
    keys = ApiKey.objects.filter(account=asked.account).select_related("created_by")
    return in_chunks(keys if asked.is_owner else keys.filter(created_by=asked.user))


FILES = (
    File(
        "account.json", "The account.", (Account,), lambda asked: iter([asked.account]),
        (
            column("id", "its id", "public_id"), column("name", "its name"),
            column("timezone", "where its days begin"), column("created_at", "when somebody signed up"),
            column("opened_at", "when the email address was confirmed"),
            column("closed_at", "when it was closed"), column("erased_at", "when personal data was erased"),
        ),
    ),
    File(
        "you.json", "You.", (User,), lambda asked: iter([asked.user]),
        (
            column("id", "your id", "public_id"), column("email", "what you sign in with"),
            column("role", ROLE), column("emails", "which emails you chose; empty: as your role begins"),
            column("email_confirmed_at", "when the address was confirmed"),
            column("created_at", "since when you are here"), column("last_login", "when you last signed in"),
            column("signed_out_at", "when you last signed out everywhere"),
            column("is_staff", "whether you work for us"),
        ),
        for_everybody=True,
    ),
    File(
        "preferences.json", "What you have read and prefer; null if you never chose.", (Reader,),
        lambda asked: iter(Reader.objects.filter(user=asked.user)),
        (
            column("read_through", "up to when you read the notifications"),
            column("channel", "where your new alert rules tell"),
        ),
        for_everybody=True,
    ),
    File(
        "members.csv", "Everybody in the account.", (User,),
        lambda asked: in_chunks(asked.account.members.all()),
        (
            column("id", "their id", "public_id"), column("email", "their address"), column("role", ROLE),
            column("is_active", "no: removed"), column("created_at", "since when"),
        ),
    ),
    File(
        "invitations.csv", "Who was invited.", (Invitation,),
        lambda asked: in_chunks(Invitation.objects.filter(account=asked.account).select_related("invited_by")),
        (
            column("id", "its id", "public_id"), column("email", "who"), column("role", ROLE),
            column("invited_by", "the member who did", "invited_by.public_id"),
            column("created_at", "when"), column("expires_at", "until when its link works"),
            column("accepted_at", "when they joined"), column("withdrawn_at", "when it was withdrawn"),
        ),
    ),
    File(
        "api_keys.csv", "API keys, without what is secret: we do not have it ourselves.", (ApiKey,), _own_keys,
        (
            column("id", "its id", "public_id"), column("name", "its name"),
            column("begins", "the first characters", "prefix"), column("scopes", "what it may"),
            column("created_by", "the member who made it", "created_by.public_id"),
            column("created_at", "when it was made"), column("last_used_at", "when it was last used"),
            column("expires_at", "until when it works"), column("revoked_at", "when it was revoked"),
        ),
        for_everybody=True,
    ),
    File(
        "alert_rules.csv", "Your alert rules.", (Rule,),
        lambda asked: in_chunks(Rule.objects.filter(account=asked.account)),
        (
            column("id", "its id", "public_id"), column("kind", "what it watches"),
            column("amount", "dollars above or below which it tells"),
            column("agent", "of which agent", lambda row, asked: asked.agents.get(row.agent_id)),
            column("channel", "email, dashboard or both"), column("created_at", "when it was made"),
            column("told_at", "when it last told"), column("told_window", "the day or month it told about"),
            column("is_armed", "balance rules: the balance was above the bound since"),
        ),
    ),
    File(
        "notifications.csv", "What the members were told.", (Notification,),
        lambda asked: in_chunks(Notification.objects.filter(account=asked.account)),
        (
            column("id", "its id", "public_id"), column("created_at", "when"), column("kind", "what about"),
            column("level", "good, info, warn or bad"), column("title", "the heading"), column("body", "the text"),
            column("in_dashboard", "shown in the dashboard"), column("emailed", "sent by email as well"),
        ),
        is_small=False,
    ),
    File(
        "flags.csv", "Charges that somebody asked us about.", (Flag,), _own_flags,
        (
            column("id", "its id", "public_id"),
            column("charge", "the charge", lambda row, asked: ids.public("bill", row.charge_id)),
            column("text", "the question"),
            column("flagged_by", "the member who asked", "flagged_by.public_id"), column("created_at", "when"),
            column("outcome", "open, explained or reversed"), column("answer", "our answer"),
            column("answered_at", "when we answered"),
        ),
        for_everybody=True,
    ),
    File(
        "letters.csv", "Emails we wrote to you (not to other members).", (Mail,),
        lambda asked: in_chunks(Mail.objects.filter(user=asked.user)),
        (
            column("created_at", "when it was written"), column("to", "to which address"),
            column("subject", "its subject"),
            column("text", "its text; empty if it held a link that signs in",
                   lambda row, asked: "" if row.secret else row.text),
            column("sent_at", "when the mail server took it"), column("refused_at", "when it was refused for good"),
        ),
        is_small=False, for_everybody=True,
    ),
)  # fmt: skip
