"""Forms of sign-up, sign-in, the account and its keys."""

from datetime import timedelta
from typing import Any
from zoneinfo import available_timezones

from django import forms
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError

from accounts import ids
from accounts.models import Account, Scope, User

REGIONS = ("Africa", "America", "Antarctica", "Asia", "Atlantic", "Australia", "Europe", "Indian", "Pacific")
KEY_LIFETIMES = {"": "Never", "30": "In 30 days", "90": "In 90 days", "365": "In a year"}
EMAIL = {"autocomplete": "username", "inputmode": "email", "spellcheck": "false"}


def timezones() -> list[tuple[str, object]]:
    """Choices by region: `("Europe", [("Europe/Berlin", "Berlin"), …])`."""
    names = sorted(available_timezones())
    groups = [
        (
            region,
            [
                (name, name.partition("/")[2].replace("_", " "))
                for name in names
                if name.startswith(f"{region}/")
            ],
        )
        for region in REGIONS
    ]
    return [("UTC", "UTC"), *groups]


class Email(forms.EmailField):
    """An address, lower case, as it is kept."""

    widget = forms.EmailInput(attrs=EMAIL)

    def __init__(self) -> None:
        super().__init__(max_length=254)  # as long as its column

    def clean(self, value: object) -> str:
        return super().clean(value).lower()


class NewPassword(forms.CharField):
    def __init__(self, label: str) -> None:
        widget = forms.PasswordInput(attrs={"autocomplete": "new-password"})
        hint = "At least 10 characters. A few words you can remember work well."
        super().__init__(label=label, help_text=hint, strip=False, max_length=200, widget=widget)


class Password(forms.CharField):
    def __init__(self, label: str) -> None:
        widget = forms.PasswordInput(attrs={"autocomplete": "current-password"})
        super().__init__(label=label, strip=False, max_length=200, widget=widget)


class AccountName(forms.CharField):
    def __init__(self) -> None:
        widget = forms.TextInput(attrs={"autocomplete": "organization"})
        super().__init__(
            label="Account name", max_length=80, widget=widget, help_text="Your company or project."
        )


class TimeZone(forms.ChoiceField):
    def __init__(self) -> None:
        hint = "Days and months of your usage begin at midnight there."
        super().__init__(label="Time zone", choices=timezones, initial="UTC", help_text=hint)


class SignUpForm(forms.Form):
    email = Email()
    password = NewPassword("Password")
    name = AccountName()
    timezone = TimeZone()

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)
        if not self.is_bound:
            self.fields["timezone"].widget.attrs["data-time-zone"] = ""  # time_zone.js proposes the browser's

    def clean(self) -> dict[str, Any]:
        data = self.cleaned_data
        check_password(self, "password", User(email=data.get("email", "")))
        return data


class SignInForm(forms.Form):
    email = Email()
    password = Password("Password")


class EmailForm(forms.Form):
    email = Email()


class ConfirmForm(forms.Form):
    password = Password("The password you chose when you signed up")


class NewPasswordForm(forms.Form):
    """A new password for `user`."""

    new_password = NewPassword("New password")

    def __init__(self, *args: object, user: User, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)
        self.user = user

    def clean(self) -> dict[str, Any]:
        check_password(self, "new_password", self.user)
        return self.cleaned_data


class ChangePasswordForm(NewPasswordForm):
    password = Password("Current password")
    field_order = ("password", "new_password")

    def clean_password(self) -> str:
        if not self.user.check_password(self.cleaned_data["password"]):
            raise ValidationError("That is not your current password.")
        return self.cleaned_data["password"]


class AccountForm(forms.ModelForm):
    name = AccountName()
    timezone = TimeZone()

    class Meta:
        model = Account
        fields = ("name", "timezone")

    def __init__(self, *args: object, **kwargs: object) -> None:
        """A zone that is not in the list (set by a command) stays chosen until another one is."""
        super().__init__(*args, **kwargs)
        present = self.instance.timezone
        if present != "UTC" and present.partition("/")[0] not in REGIONS:
            self.fields["timezone"].choices = [(present, present), *timezones()]


class ApiKeyForm(forms.Form):
    """`id` is drawn when the form is shown: sending the form twice makes one key."""

    id = forms.UUIDField(widget=forms.HiddenInput, initial=ids.uuid7)
    name = forms.CharField(label="Name", max_length=80, help_text="What will use it, such as “website chat”.")
    scopes = forms.MultipleChoiceField(label="It may", widget=forms.CheckboxSelectMultiple)
    expires = forms.ChoiceField(label="Expires", choices=list(KEY_LIFETIMES.items()), required=False)

    def __init__(self, *args: object, may_top_up: bool, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)
        allowed = [scope for scope in Scope if may_top_up or scope != Scope.TOPUP_WRITE]
        self.fields["scopes"].choices = [(scope.value, scope.label) for scope in allowed]
        self.fields["scopes"].error_messages["required"] = "Choose at least one thing that the key may do."

    @property
    def lifetime(self) -> timedelta | None:
        days = self.cleaned_data["expires"]
        return timedelta(days=int(days)) if days else None


def check_password(form: forms.Form, field: str, user: User) -> None:
    if field in form.cleaned_data:
        try:
            validate_password(form.cleaned_data[field], user)
        except ValidationError as error:
            form.add_error(field, error)
