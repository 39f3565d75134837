"""Finds the pages by following links, so that a new page cannot escape the gates."""

from collections import Counter
from html.parser import HTMLParser
from urllib.parse import urljoin, urlsplit

from django.conf import settings
from django.test import Client
from django.urls import resolve

from accounts.models import User

EXAMPLES = 3  # pages looked at per kind of page, such as three of the top-ups
NOT_OURS = (f"/{settings.ADMIN_PATH}", "/billing/")  # Django's admin and the API's own documents


class Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "a" and (href := dict(attrs).get("href")):
            self.found.append(href)


def pages(start: str, person: User | None) -> list[str]:
    """The paths of all HTML pages that links lead to from `start`."""
    client = Client()
    if person:
        client.force_login(person)
    waiting, seen, kinds, found = [start], {start}, Counter[str](), []
    while waiting:
        path = waiting.pop(0)
        kind = resolve(urlsplit(path).path).route
        if kinds[kind] == EXAMPLES:
            continue
        kinds[kind] += 1
        answer = client.get(path, follow=False)
        assert answer.status_code < 400, f"{path} answers {answer.status_code}"
        if answer.status_code >= 300:
            new = [answer["Location"]]
        elif answer["Content-Type"].startswith("text/html"):
            found.append(path)
            new = links(path, answer.content.decode())
        else:
            continue
        for link in new:
            if link not in seen and is_page(link):
                seen.add(link)
                waiting.append(link)
    return found


def links(path: str, html: str) -> list[str]:
    parser = Links()
    parser.feed(html)
    return [urljoin(path, href.partition("#")[0]) for href in parser.found]


def is_page(link: str) -> bool:
    return link.startswith("/") and not link.startswith(NOT_OURS)
