"""Forms of Settings > Account that ask for the password before anything changes."""

from django import forms

from accounts.forms import Email, Password


class ProofForm(forms.Form):
    """The password of whoever is signed in, checked by `proof.refusal`: an unlocked computer is not enough."""

    password = Password("Your password")


class EmailChangeForm(ProofForm):
    email = Email()
    field_order = ("email", "password")

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)
        self.fields["email"].label = "New email address"
        self.fields["email"].widget.attrs = {
            "autocomplete": "email",
            "inputmode": "email",
            "spellcheck": "false",
        }


class DeviceProofForm(ProofForm):
    """For a link that is opened where nobody is signed in."""

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)
        self.fields["password"].label = "The password you sign in with"
