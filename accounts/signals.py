"""The birth of an account: its owner's email address was confirmed. Sent inside that transaction.

Keyword: `account_id` (uuid). Who hears it re-reads what it needs.
"""

from django.dispatch import Signal

account_opened = Signal()
