"""What is watched, what was told, and to whom: rules, notifications, and the platform's webhooks."""

from django.db import models
from django.db.models import Q

from accounts import ids
from accounts.models import Account, ApiKey, User


class Channel(models.TextChoices):
    EMAIL = "email", "Email"
    DASHBOARD = "dashboard", "Dashboard"
    BOTH = "both", "Email and dashboard"


class Rule(models.Model):
    """An alert rule of an account. It tells once per window: `told_window` names the last one that it told in."""

    class Kind(models.TextChoices):
        DAILY_SPEND = "daily_spend", "Daily spend"
        MONTHLY_SPEND = "monthly_spend", "Monthly spend"
        AGENT_DAILY_SPEND = "agent_daily_spend", "One agent's daily spend"
        BALANCE_BELOW = "balance_below", "Balance below"

    id = models.UUIDField(primary_key=True, default=ids.uuid7, editable=False)
    account = models.ForeignKey(Account, models.CASCADE, related_name="+")
    kind = models.CharField(max_length=20, choices=Kind.choices)
    amount = models.DecimalField(max_digits=12, decimal_places=2)  # dollars
    agent_id = models.UUIDField(null=True)  # of agent_daily_spend
    channel = models.CharField(max_length=10, choices=Channel.choices, default=Channel.BOTH)
    created_at = models.DateTimeField()
    told_window = models.CharField(
        max_length=40, blank=True
    )  # a day, a month; emptied when the amount changes
    told_at = models.DateTimeField(null=True)
    is_armed = models.BooleanField(
        default=True
    )  # of balance_below: the balance was at or above the bound since

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(amount__gt=0), name="rule_amount"),
            models.CheckConstraint(
                condition=Q(kind="agent_daily_spend", agent_id__isnull=False)
                | ~Q(kind="agent_daily_spend") & Q(agent_id=None),
                name="rule_names_an_agent",
            ),
        ]
        indexes = [models.Index(fields=["account", "kind"], name="rule_of_account")]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} ${self.amount}"

    @property
    def public_id(self) -> str:
        return ids.public("rule", self.id)


class Notification(models.Model):
    """Something that the members of an account were told. `key` says what it is about: told once."""

    class Level(models.TextChoices):
        GOOD = "good", "Good news"
        INFO = "info", "For your information"
        WARN = "warn", "Warning"
        BAD = "bad", "Something stopped"

    id = models.UUIDField(primary_key=True, default=ids.uuid7, editable=False)
    account = models.ForeignKey(Account, models.CASCADE, related_name="+")
    key = models.CharField(max_length=160)
    kind = models.CharField(max_length=40)
    level = models.CharField(max_length=4, choices=Level.choices)
    title = models.CharField(max_length=160)
    body = models.CharField(max_length=600)
    href = models.CharField(max_length=200, blank=True)  # a path of ours
    in_dashboard = models.BooleanField(default=True)
    emailed = models.BooleanField(default=False)  # an email row was written with it
    created_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["account", "key"], name="told_once")]
        indexes = [models.Index(fields=["account", "-created_at"], name="notification_of_account")]

    def __str__(self) -> str:
        return self.title

    @property
    def public_id(self) -> str:
        return ids.public("ntf", self.id)


class Reader(models.Model):
    """What one member has read and prefers; `channel` is where a rule of theirs begins.

    Without a row: nothing read, told both ways. Which emails reach them is their own (accounts/recipients.py).
    """

    user = models.OneToOneField(User, models.CASCADE, primary_key=True, related_name="+")
    read_through = models.DateTimeField(null=True)
    channel = models.CharField(max_length=10, choices=Channel.choices, default=Channel.BOTH)

    def __str__(self) -> str:
        return f"reader {self.user_id}"


class Watched(models.Model):
    """The last known derived state of something, so that a change of it is told once.

    `subject`: the id of an account, phone number, campaign, top-up, refund or dispute, or a word (alerts/watched.py).
    A memory, never a source: the state itself is derived from the facts each time.
    """

    account = models.ForeignKey(Account, models.CASCADE, related_name="+")
    subject = models.CharField(max_length=40)
    state = models.CharField(max_length=40)
    since = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["account", "subject"], name="watched_once")]

    def __str__(self) -> str:
        return f"{self.subject} {self.state}"


class Endpoint(models.Model):
    """Where a platform wants to be told: one address per platform key, set by staff."""

    api_key = models.OneToOneField(ApiKey, models.CASCADE, primary_key=True, related_name="+")
    url = models.CharField(max_length=500)
    secret = models.CharField(max_length=80)  # whsec_…, as Standard Webhooks writes it
    created_at = models.DateTimeField()
    failing_since = models.DateTimeField(null=True)
    disabled_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return self.url


class Delivery(models.Model):
    """One message to one endpoint, from its fact to its last try. `body` is exactly what is signed and sent."""

    id = models.UUIDField(primary_key=True, default=ids.uuid7, editable=False)
    endpoint = models.ForeignKey(Endpoint, models.CASCADE, related_name="deliveries")
    account = models.ForeignKey(Account, models.CASCADE, null=True, related_name="+")  # null: a test message
    key = models.CharField(max_length=160)
    type = models.CharField(max_length=40)
    body = models.TextField()
    created_at = models.DateTimeField()
    next_try_at = models.DateTimeField(null=True)  # null: delivered, or given up
    tries = models.PositiveSmallIntegerField(default=0)
    delivered_at = models.DateTimeField(null=True)
    status = models.PositiveSmallIntegerField(null=True)  # of the last answer
    error = models.CharField(max_length=300, blank=True)

    class Meta:
        verbose_name_plural = "deliveries"
        constraints = [models.UniqueConstraint(fields=["endpoint", "key"], name="delivered_once")]
        indexes = [
            models.Index(
                fields=["next_try_at"], name="delivery_waiting", condition=Q(next_try_at__isnull=False)
            )
        ]

    def __str__(self) -> str:
        return f"{self.type} {self.created_at:%Y-%m-%d %H:%M}"
