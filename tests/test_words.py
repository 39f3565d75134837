"""One word for one thing (docs/glossary.md): every sentence of a page, a letter, a refusal and a command is read."""

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import User

ROOT = Path(__file__).parent.parent
APPS = ("accounts", "alerts", "billing", "thinnest_billing", "usage")
UNSPOKEN = ("/migrations/", "/devstack/", "/management/", "/demo/")
FORBIDDEN = (
    (r"\brecharg\w*|\brefill\w*|\bwallet\w*", "top-up, balance"),
    (r"\blog(ged|ging)? ?-?(in|out)\b|\blogins?\b|\bsign(ed)?-?on\b", "sign in, sign out"),
    (r"(?<!auto-)(?<![/_])\btopups?\b(?![_:/-]|, charge)", "top-up"),
    (r"\bauto[- ]?top[- ]up\w*|\bautotopup\w*|\bauto topup\w*", "auto-topup, or automatic top-up"),
    (
        r"\b(buy|add|purchase|prepaid|your) tokens\b|\btokens? balance\b",
        "funds; a token is what a model reads",
    ),
    (r"\bsubscribers?\b|\bpremium plan|\bbilling plan", "no plans"),
    (r"\be-mails?\b", "email"),
    (r"\bcancell(ed|ing)\b|\w\w[nrl]is(ed|ing)\b(?<!prised)(?<!prising)", "American spelling"),
    (r"\b(is|are) (frozen|off|on|paused|suspended) since\b", "has been … since"),
    (r"\bno (member|customer) of\b", "no longer a …"),
    (r"\b(oops|whoops|sorry|uh-oh|hooray|congratulations|simply)\b", "plain words"),
    (r"[a-z]!(\s|$)", "no exclamation marks"),
    (r"\.\.\.", "…"),
    (r"(?<![\w-])-\$", "U+2212 for minus"),
)


def of_template(text: str) -> Iterator[str]:
    """What a template says: its text, and the sentences that it hands to a part or keeps in an attribute."""
    text = re.sub(r"\{#.*?#\}", " ", text, flags=re.S)
    yield from re.findall(r'"([^"{}<>]* [^"{}<>]*)"', " ".join(re.findall(r"\{%\s*include(.*?)%\}", text)))
    text = re.sub(r"\{%.*?%\}|\{\{.*?\}\}", "§", text, flags=re.S)
    yield from re.findall(r'(?:aria-label|title|placeholder|alt)="([^"]*)"', text)
    text = re.sub(r"<(style|script|pre)\b.*?</\1>", " ", text, flags=re.S)
    yield from (" ".join(part.split()) for part in re.split(r"<[^>]*>", text) if part.strip())


def of_module(source: str) -> Iterator[str]:
    """The texts of a module that are a sentence or a label: no docstrings, no SQL, no patterns; gaps are a §."""
    tree = ast.parse(source)
    silent = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            silent |= {id(part) for part in node.values}
            text = "".join(str(part.value) if isinstance(part, ast.Constant) else "§" for part in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in silent:
            text = node.value
        else:
            continue
        if (" " in text.strip() or re.fullmatch("[A-Z][a-z]+", text)) and not re.search(
            r"\b(SELECT|WHERE|FROM|INTO|SET|AND|CASE|SUM)\b|\\[bsdw]", text
        ):
            yield text


def spoken() -> Iterator[tuple[str, str]]:
    """Every sentence that somebody reads, with its file."""
    listed = subprocess.run(["git", "ls-files", "templates", *APPS], cwd=ROOT, capture_output=True, text=True)
    for name in listed.stdout.split():
        path = ROOT / name
        if not path.exists() or any(part in name for part in UNSPOKEN):
            continue
        read = of_module if name.endswith(".py") else of_template
        if name.endswith((".py", ".html", ".txt")):
            yield from ((name, sentence) for sentence in read(path.read_text()))


def wrong_words(sentence: str) -> list[str]:
    return [better for pattern, better in FORBIDDEN if re.search(pattern, sentence, re.I)]


def test_it_speaks_the_glossary() -> None:
    said = list(spoken())
    assert len(said) > 2_500, "the reader reads too little"
    assert [(name, text, better) for name, text in said for better in wrong_words(text)] == []


def test_it_speaks_the_glossary_to_programs_too(client: Client, db: None) -> None:
    def walk(part: object) -> Iterator[str]:
        if isinstance(part, dict):
            yield from (
                str(part[key]) for key in ("description", "summary") if isinstance(part.get(key), str)
            )
        values = part.values() if isinstance(part, dict) else part if isinstance(part, list) else ()
        for value in values:
            yield from walk(value)

    said = list(walk(client.get("/billing/openapi.json").json()))
    assert len(said) > 60
    assert [(text, better) for text in said for better in wrong_words(text)] == []


@pytest.mark.parametrize(
    "sentence",
    [
        "Recharge your wallet.", "Please log in first.", "Your topup failed.", "Auto top-up is on.", "Buy tokens.",
        "The payment was cancelled.", "Auto-topup is off since today.", "You are no member of it.", "Oops.", "Done!",
        "Wait...", "-$5.00",
    ],
)  # fmt: skip
def test_it_hears_a_wrong_word(sentence: str) -> None:
    assert wrong_words(sentence)


# --- Empty lists ------------------------------------------------------------------------------------------------

LISTS = {  # where somebody new finds an empty list, and words of it
    "overview": "No usage yet",
    "usage": "Nothing was used in these days",
    "receipts": "No receipts yet",
    "payment_methods": "No card saved yet",
    "auto_topup": "First, save a card",
    "alerts": "Nothing sent yet",
    "notifications": "Nothing yet",
    "agents": "No agents yet",
    "phone_numbers": "No phone numbers yet",
    "campaigns": "No campaigns yet",
    "api_keys": "No keys yet",
    "members": "No open invitations",
}  # fmt: skip


def main_of(client: Client, person: User, name: str) -> str:
    client.force_login(person)
    return client.get(reverse(name)).content.decode().partition("<main")[2].partition("</main>")[0]


@pytest.mark.parametrize(("name", "words"), LISTS.items())
def test_it_shows_somebody_new_the_next_step_of_each_empty_list(
    client: Client, ada: User, name: str, words: str
) -> None:
    page = main_of(client, ada, name)
    empty = page[page.index(words) - 100 :]
    inside = empty.partition("</section>")[0]
    has_form = re.search(r'<form[^>]*method="post".*?<button[^>]*type="submit"', page, re.S)
    assert 'class="btn' in inside or has_form


@pytest.mark.parametrize("name", [name for name in LISTS if name not in ("overview", "usage", "agents")])
def test_it_never_sends_a_viewer_to_what_only_others_may_do(client: Client, bo: User, name: str) -> None:
    """They read who may, and no button that would only refuse them."""
    page = main_of(client, bo, name)
    assert 'class="empty"' in page or name == "auto_topup"
    for path in re.findall(r'class="empty".*?</div>', page, re.S):
        for href in re.findall(r'href="(/[^"]*)"', path):
            assert client.get(href).status_code == 200, href
