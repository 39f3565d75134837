"""Pages: the entrance (sign-up to password reset), the account, and its API keys."""
