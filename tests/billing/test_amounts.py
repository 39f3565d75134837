"""Numbers that people type: every form about money takes plain digits and a point, and nothing else."""

from decimal import Decimal

import pytest
from django.core.exceptions import ValidationError

from billing.amounts import Amount, WholeNumber
from billing.auto_topup_form import dollars
from billing.forms import AddFundsForm
from billing.staff_forms import AdjustForm, GrantForm
from usage.admin.forms import PriceForm
from usage.campaign_form import Quantity
from usage.forms import Count

ODD = ["1_0", "１０", "1e1", "10 0", "$10", "10,00", "NaN", "Infinity", "0x10", "١٠", "1.0.0", "--1", "."]


@pytest.mark.parametrize("typed", ODD)
@pytest.mark.parametrize(
    "field",
    [Amount(), WholeNumber(), dollars("Amount"), Quantity("Calls", most=100), Count("Pages", most=100)],
    ids=lambda field: type(field).__name__,
)
def test_it_takes_nothing_for_ten_that_is_not_written_as_ten(field: Amount | WholeNumber, typed: str) -> None:
    with pytest.raises(ValidationError):
        field.clean(typed)


@pytest.mark.parametrize(
    ("typed", "meant"), [("10", "10"), (" 25.00 ", "25.00"), (".5", "0.5"), ("007", "7"), ("-3", "-3")]
)
def test_it_takes_what_people_write(typed: str, meant: str) -> None:
    assert Amount().clean(typed) == Decimal(meant)
    assert Amount().clean(Decimal(meant)) == Decimal(meant)


def test_staff_type_plain_digits_too() -> None:
    """Where money moves by hand, and where a price is set."""
    forms = [GrantForm, AdjustForm]
    fields = [form.base_fields["amount"] for form in forms] + [PriceForm.base_fields["rate"]]
    for field in fields:
        assert isinstance(field, Amount)
        with pytest.raises(ValidationError):
            field.clean("1_0")


def test_an_odd_amount_of_funds_is_refused_in_words() -> None:
    form = AddFundsForm({"amount": "1_0", "method": "new"}, cards=[])
    assert form.errors["amount"] == ["Type an amount such as 25.00."]
