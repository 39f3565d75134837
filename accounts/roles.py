"""What the three roles mean, in words, and who may do what: the members page, and whoever explains a refusal."""

from accounts.models import User

Role = User.Role

MEANS = {
    Role.VIEWER: "Sees the balance, usage, records and receipts, and changes nothing.",
    Role.ADMIN: "Runs the account from day to day: adds funds and manages cards, alerts, agents, numbers and keys.",
    Role.OWNER: "Decides about the money and the account itself: auto-topup, refunds, freezing, members, closing.",
}
WORDS = {Role.VIEWER: "a viewer", Role.ADMIN: "an admin", Role.OWNER: "an owner"}
INVITABLE = (
    Role.VIEWER,
    Role.ADMIN,
)  # an owner is made of a member, never of an address that may be mistyped

MAY = (
    ("See the balance, usage, records, receipts and alerts", Role.VIEWER),
    ("Add funds, save and remove cards, edit billing details", Role.ADMIN),
    ("Add and edit alerts", Role.ADMIN),
    ("Choose models, rent phone numbers, plan campaigns", Role.ADMIN),
    ("Create and revoke API keys", Role.ADMIN),
    ("Create API keys that add funds", Role.OWNER),
    ("Launch campaigns, give up phone numbers", Role.OWNER),
    ("Auto-topup, refunds, freezing", Role.OWNER),
    ("Invite, change and remove members", Role.OWNER),
    ("Name, time zone, closing the account", Role.OWNER),
)


def sentence(role: str) -> str:
    """`An admin runs the account from day to day: …`"""
    means = MEANS[Role(role)]
    return f"{WORDS[Role(role)].capitalize()} {means[0].lower()}{means[1:]}"


def table() -> list[tuple[str, list[tuple[str, bool]]]]:
    """Each act with the roles, viewer first, and whether they may."""
    return [(act, [(role.label, User(role=role).may(least)) for role in MEANS]) for act, least in MAY]
