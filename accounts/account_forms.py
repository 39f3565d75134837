"""Forms of Settings > Account that ask for the password before anything changes."""

from django import forms

from accounts.forms import Email, Password

ADDRESS = {"autocomplete": "email", "inputmode": "email", "spellcheck": "false"}


class NewEmail(Email):
    widget = forms.EmailInput(attrs=ADDRESS)

    def __init__(self) -> None:
        super().__init__()
        self.label = "New email address"


class ProofForm(forms.Form):
    """The password of whoever is signed in, checked by `proof.refusal`: an unlocked computer is not enough."""

    password = Password("Your password")


class EmailChangeForm(ProofForm):
    email = NewEmail()
    field_order = ("email", "password")


class DeviceProofForm(ProofForm):
    """For a link that is opened where nobody is signed in."""

    password = Password("The password you sign in with")
