"""Email as rows: written in the transaction that causes them, sent after it, retried until the mail server takes them.

A mail server that refuses an address for good is asked once. What comes back later, as a letter to the sender, is
not read here. Without a mail server (EMAIL_URL unset, as in a trial) rows are kept, and the outbox page shows them.
"""

import logging
from datetime import datetime, timedelta
from smtplib import SMTPDataError, SMTPException, SMTPRecipientsRefused

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.db import transaction
from django.db.models import F
from django.template import Context, Engine
from django.template.loader import render_to_string

from accounts.models import Mail, User
from accounts.nudges import nudge
from accounts.sweeps import while_there_is_time

TRIES = 10  # with the waits below: about three days
FIRST_WAIT = timedelta(minutes=5)  # doubled after each failure
BATCH = 100
log = logging.getLogger(__name__)


def send(
    to: str,
    template: str,
    context: dict[str, object],
    *,
    now: datetime,
    user: User | None = None,
    secret: bool = False,
    unsubscribe: str = "",
) -> Mail:
    """Write the email `templates/emails/<template>/` to `to`; it leaves after the commit.

    `secret` is for links that sign in: the text is blanked once it is sent, and staff never see it. `unsubscribe`:
    the address that ends mail of this kind by one POST (RFC 8058).
    """
    context = {"site": settings.SITE_URL, "support": settings.SUPPORT_EMAIL, "user": user} | context
    folder = f"emails/{template}"
    subject, text = (_plain(f"{folder}/{part}.txt", context) for part in ("subject", "body"))
    mail = Mail.objects.create(
        to=to,
        user=user,
        subject=" ".join(subject.split()),
        text=text,
        html=render_to_string(f"{folder}/body.html", context),
        secret=secret,
        unsubscribe_url=unsubscribe,
        created_at=now,
        next_try_at=now if settings.EMAIL_URL else None,
    )
    if settings.EMAIL_URL:
        from accounts.tasks import deliver_mail  # tasks import this module

        transaction.on_commit(lambda: nudge(deliver_mail))
    return mail


def _plain(template: str, context: dict[str, object]) -> str:
    """Text, where an apostrophe stays one."""
    return Engine.get_default().get_template(template).render(Context(context, autoescape=False))


def deliver(*, now: datetime) -> int:
    """Send what is due; how many were sent. A step of the sweep: at any time, any number of times."""
    due = Mail.objects.filter(next_try_at__lte=now).order_by("next_try_at")[:BATCH]
    return sum(_try(mail, now=now) for mail in while_there_is_time(due))


def _try(mail: Mail, *, now: datetime) -> bool:
    if not _claim(mail, now=now):
        return False
    try:
        _hand_over(mail)
    except (SMTPException, OSError) as error:
        _put_off(mail, error, now=now)
        return False
    _mark_sent(mail, now=now)
    return True


def _claim(mail: Mail, *, now: datetime) -> bool:
    """Push the row forward before the network is asked: a second worker finds nothing, a crash costs one wait."""
    later = now + FIRST_WAIT * 2**mail.tries
    waiting = Mail.objects.filter(pk=mail.pk, next_try_at=mail.next_try_at)
    return waiting.update(next_try_at=later, tries=F("tries") + 1) == 1


def _hand_over(mail: Mail) -> None:
    message = EmailMultiAlternatives(
        mail.subject, mail.text, to=[mail.to], reply_to=[settings.SUPPORT_EMAIL], headers=_headers(mail)
    )
    message.attach_alternative(mail.html, "text/html")
    message.send()


def _headers(mail: Mail) -> dict[str, str]:
    """The Message-ID is the row's, so that a mailbox can tell a repeat after a crash."""
    host = settings.DEFAULT_FROM_EMAIL.rpartition("@")[2].strip(">")
    headers = {"Message-ID": f"<{mail.pk}@{host}>"}
    if mail.unsubscribe_url:
        headers["List-Unsubscribe"] = f"<{mail.unsubscribe_url}>"
        headers["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    return headers


def _put_off(mail: Mail, error: Exception, *, now: datetime) -> None:
    said, is_refused = _said(error), _is_refused(error)
    log.warning("Mail %s was not sent%s: %s", mail.pk, ", for good" if is_refused else "", said)
    changes: dict[str, object] = {"error": said[:1000]}
    if is_refused or mail.tries + 1 >= TRIES:
        changes |= {"next_try_at": None, "refused_at": now if is_refused else None} | _blanked(mail)
    Mail.objects.filter(pk=mail.pk).update(**changes)


def _is_refused(error: Exception) -> bool:
    """Whether the server said never (5xx, RFC 5321) to the address or the text. To us, as to a wrong password, is
    no such thing: an operator can put that right."""
    if isinstance(error, SMTPRecipientsRefused):
        return all(code >= 500 for code, _ in error.recipients.values())
    return isinstance(error, SMTPDataError) and error.smtp_code >= 500


def _said(error: Exception) -> str:
    """`550 No such user`."""
    if not isinstance(error, SMTPRecipientsRefused):
        return str(error)
    return "; ".join(f"{code} {text.decode(errors='replace')}" for code, text in error.recipients.values())


def _mark_sent(mail: Mail, *, now: datetime) -> None:
    Mail.objects.filter(pk=mail.pk).update(sent_at=now, next_try_at=None, error="", **_blanked(mail))


def _blanked(mail: Mail) -> dict[str, object]:
    return {"text": "", "html": ""} if mail.secret else {}


def refusal_of(user: User) -> Mail | None:
    """The last email that was tried to this person's address, if it was refused for good."""
    tried = Mail.objects.filter(user=user, to=user.email, tries__gt=0).order_by("-created_at", "-id").first()
    return tried if tried and tried.refused_at else None
