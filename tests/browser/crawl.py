"""Finds the pages by following links, so that a new page cannot escape the gates."""

from collections import Counter, defaultdict
from html.parser import HTMLParser
from urllib.parse import urljoin, urlsplit

from django.conf import settings
from django.test import Client
from django.urls import resolve

from accounts.models import User

EXAMPLES = 12  # fetched per kind of page, such as twelve records
NOT_OURS = (f"/{settings.ADMIN_PATH}", "/billing/")  # Django's admin and the API's own documents


class Reader(HTMLParser):
    """A page's links and what it is made of: each element with its class and the names of its attributes."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.parts: set[tuple[str, ...]] = set()
        self.moves_on = False
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = dict(attrs)
        self.parts.add((tag, named.get("class") or "", *sorted(named)))
        self.moves_on |= named.get("http-equiv") == "refresh"
        if tag == "a" and "download" not in named and (href := named.get("href")):
            self.links.append(href)


class Crawler:
    """Remembers what pages of each kind were made of: one that shows nothing new is not looked at again."""

    def __init__(self) -> None:
        self.known: defaultdict[str, set[tuple[str, ...]]] = defaultdict(set)
        self.met: set[str] = set()  # every kind that links led to

    def pages(self, person: User | None, *starts: str) -> list[str]:
        """The paths of the HTML pages worth a look that links lead to from `starts`."""
        client = Client()
        if person:
            client.force_login(person)
        waiting, seen, fetched, found = list(starts), set(starts), Counter[str](), []
        while waiting:
            path = waiting.pop(0)
            kind = kind_of(path)
            fetched[kind] += 1
            self.met.add(kind)
            if fetched[kind] > EXAMPLES:
                continue
            links, parts = fetch(client, path)
            if not parts and not links:
                fetched[kind] = EXAMPLES  # a file: one is enough, and they are counted by the hour
            if not parts <= self.known[kind]:
                self.known[kind] |= parts
                found.append(path)
            new = [link for link in dict.fromkeys(links) if link not in seen and is_page(link)]
            seen.update(new)
            waiting += new
        return found


def fetch(client: Client, path: str) -> tuple[list[str], set[tuple[str, ...]]]:
    """Where the page leads, and its parts: none for what goes on by itself and for what is not HTML."""
    answer = client.get(path)
    assert answer.status_code < 400, f"{path} answers {answer.status_code}"
    if answer.status_code >= 300:
        return [answer["Location"]], set()
    if not answer["Content-Type"].startswith("text/html"):
        return [], set()
    page = Reader(answer.content.decode())
    links = [inside(urljoin(path, link.partition("#")[0])) for link in page.links]
    return links, set() if page.moves_on else page.parts


def inside(link: str) -> str:
    """An absolute link to our own site, as those of payment pages are, without the site."""
    return link.removeprefix(settings.SITE_URL)


def kind_of(path: str) -> str:
    return resolve(urlsplit(path).path).route


def is_page(link: str) -> bool:
    return link.startswith("/") and not link.startswith(NOT_OURS)
