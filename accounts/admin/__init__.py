"""Django admin for accounts, people, keys and mail, and what every page of admin is made of (`recorded`)."""

from accounts.admin import groups, keys, mails, people
from accounts.admin.recorded import Recorded, SearchById

__all__ = ["Recorded", "SearchById", "groups", "keys", "mails", "people"]
