"""The environment, read strictly: a value not understood stops the start with a sentence that names it."""

import os
from decimal import Decimal, InvalidOperation
from typing import Any

import environ
from django.core.exceptions import ImproperlyConfigured

YES, NO = ("1", "yes", "true", "on"), ("0", "no", "false", "off")


class Environment(environ.Env):
    """django-environ, but an empty value counts as unset, "maybe" is no boolean and $ is only a character."""

    def get_value(
        self, var: str, cast: Any = None, default: Any = environ.Env.NOTSET, parse_default: bool = False
    ) -> Any:
        text = os.environ.get(var, "")
        if not text:
            if default is environ.Env.NOTSET:
                raise ImproperlyConfigured(f"{var} is not set. .env.example shows what it looks like.")
            return default
        try:
            return understand(text, cast)
        except (ValueError, InvalidOperation) as error:
            raise ImproperlyConfigured(f"{var} is not understood: {error}.") from error

    def db(self, var: str, **kwargs: Any) -> dict[str, Any]:
        """PostgreSQL only; a folder with a unix socket comes as `?host=/folder`."""
        if not self.str(var).startswith(("postgres://", "postgresql://")):
            raise ImproperlyConfigured(
                f"{var} must start with postgres://, for nothing else keeps money exact."
            )
        try:
            config = self.db_url(var, **kwargs)
        except ValueError as error:
            raise ImproperlyConfigured(f"{var} is not understood: {error}.") from error
        options = config.setdefault("OPTIONS", {})
        config["HOST"] = options.pop("host", config["HOST"])
        return config

    def url_of(self, var: str, *schemes: str, default: Any = environ.Env.NOTSET) -> str:
        """A URL with one of the schemes."""
        text: str = self.str(var, default=default)
        if text and not text.startswith(tuple(f"{scheme}://" for scheme in schemes)):
            raise ImproperlyConfigured(f"{var} must start with {' or '.join(f'{s}://' for s in schemes)}.")
        return text

    def choice(self, var: str, *choices: str, default: str) -> str:
        text: str = self.str(var, default=default)
        if text not in choices:
            raise ImproperlyConfigured(f"{var} must be one of: {', '.join(choices)}.")
        return text

    def dollars(self, var: str, default: Decimal) -> Decimal:
        """A positive amount in whole cents."""
        amount = self.get_value(var, cast=Decimal, default=default)
        if not amount.is_finite() or amount <= 0 or amount != round(amount, 2):
            raise ImproperlyConfigured(f"{var} must be a positive amount in dollars and cents, such as 5.00.")
        return Decimal(amount)


def understand(text: str, cast: Any) -> Any:
    """The value, or ValueError with the end of a sentence."""
    if cast is bool:
        if text.lower() not in YES + NO:
            raise ValueError("write yes or no")
        return text.lower() in YES
    if cast is int and not text.lstrip("-").isdecimal():
        raise ValueError("write a whole number")
    if cast is Decimal and not text.replace(".", "", 1).isdecimal():
        raise ValueError("write an amount such as 5.00")
    return environ.Env.parse_value(text, cast)
