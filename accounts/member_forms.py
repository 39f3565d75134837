"""Forms of the members page: invite, another role, make an owner, remove; and joining."""

from typing import Any

from django import forms

from accounts.forms import Email, NewPassword, check_password
from accounts.models import User
from accounts.roles import INVITABLE, MEANS

Role = User.Role


def _choices() -> list[tuple[str, str]]:
    return [(role.value, f"{role.label}: {MEANS[role]}") for role in INVITABLE]


class InviteForm(forms.Form):
    email = Email()
    role = forms.ChoiceField(label="Role", choices=_choices, widget=forms.RadioSelect, initial=Role.VIEWER)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["email"].label = "Email"
        self.fields["email"].widget.attrs["autocomplete"] = "off"  # somebody else's address


class RoleForm(forms.Form):
    role = forms.ChoiceField(label="Role", choices=_choices, widget=forms.RadioSelect)


class OwnerForm(forms.Form):
    """What the owner who acts is afterwards."""

    ME = (
        (Role.OWNER.value, "I stay an owner as well."),
        (Role.ADMIN.value, "I hand over and become an admin. Only they can make me an owner again."),
    )
    me = forms.ChoiceField(label="And you?", choices=ME, widget=forms.RadioSelect)


class RemoveForm(forms.Form):
    revoke_keys = forms.BooleanField(label="Revoke these keys as well", required=False)


class JoinForm(forms.Form):
    """A password for somebody who is not a user yet."""

    password = NewPassword("Choose a password")

    def __init__(self, *args: Any, email: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.email = email

    def clean(self) -> dict[str, Any]:
        check_password(self, "password", User(email=self.email))
        return self.cleaned_data
