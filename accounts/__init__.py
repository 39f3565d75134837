"""Who is asking: people, the account (the tenant that owns a balance), members and roles, API keys.

Owns the API's conventions (authentication, errors, limits, the strict JSON parser): they are about who asks
and how, not about money. Imports no other app. Announces an account's birth with
`accounts.signals.account_opened`.
"""
