"""Django admin as staff use it: its site with a sign-in and sessions of its own, the first page, search, the page of
one account, the audit log and the groups. What belongs to one app is in that app's own admin."""
