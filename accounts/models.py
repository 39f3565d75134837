"""People and what they ask with. The account is the tenant: it owns the balance, the agents and the keys."""

from datetime import datetime

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.models import PermissionsMixin
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Lower
from django.utils import timezone as clock

from accounts import ids


class Account(models.Model):
    """One tenant. It is open once its owner confirmed the email address."""

    id = models.UUIDField(primary_key=True, default=ids.uuid7, editable=False)
    name = models.CharField(max_length=80)
    timezone = models.CharField(max_length=64, default="UTC")
    created_at = models.DateTimeField(default=clock.now, editable=False)
    opened_at = models.DateTimeField(null=True, blank=True, editable=False)
    closed_at = models.DateTimeField(null=True, blank=True, editable=False)
    erased_at = models.DateTimeField(null=True, blank=True, editable=False)  # people and notes; money stays

    def __str__(self) -> str:
        return f"{self.name} ({self.public_id})"

    @property
    def public_id(self) -> str:
        return ids.public("acct", self.id)


class Emails(models.TextChoices):
    """Which emails about the account somebody gets; what each role begins with is in accounts/recipients.py."""

    ALL = "all", "Everything"
    IMPORTANT = "important", "What matters"
    NONE = "none", "Nothing"


class UserManager(BaseUserManager["User"]):
    def create_user(self, email: str, password: str | None = None, **fields: object) -> "User":
        user = self.model(email=email.strip().lower(), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: object) -> "User":
        confirmed = {"is_staff": True, "is_superuser": True, "email_confirmed_at": clock.now()}
        return self.create_user(email, password, **(confirmed | fields))

    def get_by_natural_key(self, username: str | None) -> "User":
        return self.get(email=(username or "").strip().lower())


class User(AbstractBaseUser, PermissionsMixin):
    """A person. Signs in by email; belongs to one account (staff may belong to none)."""

    class Role(models.TextChoices):
        OWNER = "owner", "Owner"
        ADMIN = "admin", "Admin"
        VIEWER = "viewer", "Viewer"

    id = models.UUIDField(primary_key=True, default=ids.uuid7, editable=False)
    email = models.EmailField(unique=True)  # always lower case
    account = models.ForeignKey(Account, models.PROTECT, null=True, blank=True, related_name="members")
    role = models.CharField(max_length=10, choices=Role.choices, default=Role.OWNER)
    email_confirmed_at = models.DateTimeField(null=True, blank=True)
    is_active = models.BooleanField(default=True)
    is_staff = models.BooleanField(default=False)
    created_at = models.DateTimeField(default=clock.now, editable=False)
    # Empty: as the role has it (accounts/recipients.py).
    emails = models.CharField(max_length=10, choices=Emails.choices, blank=True, default="", db_default="")
    signed_out_at = models.DateTimeField(null=True, blank=True, editable=False)  # everywhere

    objects = UserManager()
    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"

    class Meta:
        constraints = [
            models.CheckConstraint(condition=models.Q(email=Lower("email")), name="email_is_lower_case")
        ]

    def __str__(self) -> str:
        return self.email

    @property
    def public_id(self) -> str:
        return ids.public("usr", self.id)

    def get_session_auth_hash(self) -> str:
        """Sessions begun before the person signed out everywhere end, like those before a new password."""
        since = f"{self.signed_out_at:%Y%m%d%H%M%S%f}" if self.signed_out_at else ""
        return f"{super().get_session_auth_hash()}{since}"

    def may(self, role: str) -> bool:
        """Whether this member's role includes `role` (viewer < admin < owner)."""
        order = [self.Role.VIEWER, self.Role.ADMIN, self.Role.OWNER]
        return order.index(self.Role(self.role)) >= order.index(self.Role(role))


class Invitation(models.Model):
    """A colleague asked into an account. Whoever follows the mailed link becomes a user of that account."""

    id = models.UUIDField(primary_key=True, default=ids.uuid7, editable=False)
    account = models.ForeignKey(Account, models.CASCADE, related_name="invitations")
    email = models.EmailField()  # always lower case
    role = models.CharField(max_length=10, choices=User.Role.choices, default=User.Role.VIEWER)
    invited_by = models.ForeignKey(User, models.SET_NULL, null=True, blank=True, related_name="+")
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    accepted_at = models.DateTimeField(null=True, blank=True)
    withdrawn_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=models.Q(email=Lower("email")), name="invited_in_lower_case"),
            models.UniqueConstraint(
                fields=["account", "email"], name="one_open_invitation",
                condition=models.Q(accepted_at=None, withdrawn_at=None),
            ),
        ]  # fmt: skip

    def __str__(self) -> str:
        return f"{self.email} as {self.role}"

    @property
    def public_id(self) -> str:
        return ids.public("inv", self.id)


class StaffAct(models.Model):
    """What a member of staff did and why: written in the transaction of the act, never changed.

    The account is an id without a foreign key, so that the log outlives whatever it speaks of.
    """

    id = models.BigAutoField(primary_key=True)
    at = models.DateTimeField()
    staff = models.ForeignKey(User, models.PROTECT, null=True, blank=True, related_name="+")
    account = models.ForeignKey(
        Account, models.DO_NOTHING, null=True, blank=True, db_constraint=False, related_name="+"
    )
    act = models.CharField(max_length=40)  # a verb and a noun: "refund top-up"
    target = models.CharField(max_length=80, blank=True)  # a public id
    details = models.JSONField(default=dict)  # amounts as strings
    reason = models.CharField(max_length=400, blank=True)
    request_id = models.CharField(max_length=64, blank=True)

    class Meta:
        verbose_name = "staff act"
        indexes = [models.Index(fields=["account", "-at"], name="staff_act_of_account")]

    def __str__(self) -> str:
        return f"{self.act} {self.target}"


class StaffNote(models.Model):
    """What the next of staff should know about an account. Customers never see it; it goes when they are erased."""

    id = models.UUIDField(primary_key=True, default=ids.uuid7, editable=False)
    account = models.ForeignKey(Account, models.CASCADE, related_name="+")
    text = models.CharField(max_length=1000)
    written_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    written_at = models.DateTimeField()

    class Meta:
        verbose_name = "staff note"
        indexes = [models.Index(fields=["account", "-written_at"], name="staff_note_of_account")]

    def __str__(self) -> str:
        return self.text[:60]


class Scope(models.TextChoices):
    BALANCE_READ = "balance:read", "Read the balance"
    HISTORY_READ = "history:read", "Read billing records"
    USAGE_WRITE = "usage:write", "Record usage and hold funds"
    TOPUP_WRITE = "topup:write", "Add funds with a saved card"


class ApiKey(models.Model):
    """A bearer key, kept only as its SHA-256.

    Without an account it is a platform key: it acts for any account.
    """

    id = models.UUIDField(primary_key=True, default=ids.uuid7, editable=False)
    account = models.ForeignKey(Account, models.CASCADE, null=True, blank=True, related_name="api_keys")
    name = models.CharField(max_length=80)
    prefix = models.CharField(
        max_length=16, editable=False
    )  # what may be shown: tb_test_ and four characters
    digest = models.BinaryField(max_length=32, unique=True, editable=False)
    scopes = ArrayField(models.CharField(max_length=20, choices=Scope.choices))
    created_by = models.ForeignKey(User, models.SET_NULL, null=True, blank=True, related_name="+")
    created_at = models.DateTimeField(default=clock.now, editable=False)
    last_used_at = models.DateTimeField(null=True, blank=True, editable=False)
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(account__isnull=False) | ~models.Q(scopes__contains=["topup:write"]),
                name="platform_keys_never_top_up",
            )
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"

    @property
    def public_id(self) -> str:
        return ids.public("key", self.id)

    def is_usable(self, now: datetime) -> bool:
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)


class Mail(models.Model):
    """An email as a row: written in the transaction that causes it, sent after it (accounts/mail.py).

    `next_try_at` is null once nothing more will be tried: it was sent, or kept for the outbox because there
    is no mail server, or given up after the last try, or refused for good (`error` says why).
    """

    id = models.UUIDField(primary_key=True, default=ids.uuid7, editable=False)
    user = models.ForeignKey(User, models.CASCADE, null=True, blank=True, related_name="+")
    to = models.EmailField()
    subject = models.CharField(max_length=200)
    text = models.TextField()
    html = models.TextField()
    secret = models.BooleanField(default=False)  # holds a link that signs in: blanked when sent
    unsubscribe_url = models.CharField(max_length=300, blank=True, db_default="")  # of optional mail
    created_at = models.DateTimeField(default=clock.now)
    next_try_at = models.DateTimeField(default=clock.now, null=True, blank=True)
    sent_at = models.DateTimeField(null=True, blank=True)
    refused_at = models.DateTimeField(null=True, blank=True)  # the address or the text, for good
    tries = models.PositiveSmallIntegerField(default=0)
    error = models.TextField(blank=True)

    class Meta:
        verbose_name_plural = "mail"
        indexes = [
            models.Index(
                fields=["next_try_at"], name="mail_waiting", condition=models.Q(next_try_at__isnull=False)
            )
        ]

    def __str__(self) -> str:
        return f"{self.subject} to {self.to}"
