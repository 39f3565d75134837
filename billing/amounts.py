"""Numbers as people type them: plain digits and a point. Python takes `1_0` and other alphabets' digits for a number
too; whoever typed those meant something else, and a form about money does not guess."""

import re
from typing import Any

from django import forms

PLAIN = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)")


class _Plain(forms.Field):
    def to_python(self, value: Any) -> Any:
        if value not in self.empty_values and not PLAIN.fullmatch(str(value).strip()):
            raise forms.ValidationError(self.error_messages["invalid"], code="invalid")
        return super().to_python(value)


class Amount(_Plain, forms.DecimalField):
    """Dollars, or another number with decimals."""


class WholeNumber(_Plain, forms.IntegerField):
    """How many of something."""
