"""What an operator types wrong is told in one line, at the shell as from code."""

import pytest
from django.core.management import CommandError, ManagementUtility, call_command

WRONG = {
    "--account=acct_x": "'acct_x' is not an account id",
    "--amount=much": "'much' is not an amount of dollars",
    "--amount=NaN": "'NaN' is not an amount of dollars",
}


def with_argument(wrong: str) -> list[str]:
    right = {"--account": "acct_00000000000000000000000007", "--amount": "1", "--reason": "x"}
    right.update([wrong.split("=")])
    return [f"{name}={value}" for name, value in right.items()]


@pytest.mark.parametrize("wrong", WRONG)
def test_it_names_the_argument_without_a_traceback(wrong: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        ManagementUtility(["manage.py", "adjust_balance", *with_argument(wrong)]).execute()
    assert left.value.code == 2
    name = wrong.partition("=")[0]
    assert f"error: argument {name}: {WRONG[wrong]}" in capsys.readouterr().err


@pytest.mark.parametrize("wrong", WRONG)
def test_code_that_calls_it_gets_a_refusal(wrong: str) -> None:
    with pytest.raises(CommandError, match=WRONG[wrong]):
        call_command("adjust_balance", *with_argument(wrong))
