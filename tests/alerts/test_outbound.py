"""One POST to an address that somebody else chose."""

import socket
import time
from ipaddress import ip_address
from typing import Any

import pytest
import trustme
from pytest_django import Settings

from alerts import outbound
from tests.alerts.platform import Platform, free_port, listening


def post(url: str) -> outbound.Answer:
    return outbound.post(url, b'{"type":"test"}', {"webhook-id": "msg_1"})


class Resolver:
    """Answers for one name, another each time; literal addresses are looked up as ever."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *answers: str | float) -> None:
        self.answers, self.asked = list(answers), 0
        self.real = socket.getaddrinfo
        monkeypatch.setattr(socket, "getaddrinfo", self)

    def __call__(self, host: Any, port: Any, *args: Any, **kwargs: Any) -> Any:
        if host != "hooks.example.com":
            return self.real(host, port, *args, **kwargs)
        self.asked += 1
        answer = self.answers.pop(0)
        if isinstance(answer, float):
            time.sleep(answer)
            raise socket.gaierror("slow")
        return self.real(answer, port, *args, **kwargs)


def test_it_posts_the_body_and_is_told_that_it_was_accepted(platform: Platform) -> None:
    platform.mood = 204
    assert post(platform.url) == outbound.Answer(204, "")
    headers, body = platform.heard[0]
    assert body == b'{"type":"test"}'
    assert headers["host"] == f"localhost:{platform.port}"
    assert headers["content-type"] == "application/json"
    assert headers["webhook-id"] == "msg_1"


def test_it_keeps_what_a_refusal_says_but_not_all_of_it(platform: Platform) -> None:
    platform.mood, platform.says = 500, b"out of\norder " + b"x" * 100_000
    answer = post(platform.url)
    assert answer.status == 500
    assert answer.error.startswith("It answered 500: out of order xxx")
    assert len(answer.error) < 400


def test_it_follows_no_redirect(platform: Platform) -> None:
    platform.mood, platform.location = 307, platform.url
    answer = post(platform.url)
    assert answer == outbound.Answer(
        307, "It answered 307: redirects are not followed, enter the final address."
    )
    assert len(platform.heard) == 1


@pytest.mark.parametrize("mood", ["hang", "drip"])
def test_it_gives_nobody_more_than_its_seconds(
    platform: Platform, mood: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also a server that sends a byte now and then, whose every single read is quick."""
    monkeypatch.setattr(outbound, "SECONDS", 1.0)
    platform.mood = mood
    began = time.monotonic()
    answer = post(platform.url)
    assert 0.9 < time.monotonic() - began < 2.5
    assert answer == outbound.Answer(None, "It did not answer within 1 seconds.")


def test_it_waits_for_no_handshake_either(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> None:
    settings.WEBHOOK_ALLOW_PRIVATE = True
    monkeypatch.setattr(outbound, "SECONDS", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as mute:
        answer = post(f"https://localhost:{mute.getsockname()[1]}/")
    assert answer == outbound.Answer(None, "It did not answer within 0.5 seconds.")


def test_it_waits_for_no_name_either(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbound, "SECONDS", 0.5)
    Resolver(monkeypatch, 3.0)
    began = time.monotonic()
    answer = post("https://hooks.example.com/")
    assert time.monotonic() - began < 2
    assert answer.error == "Nothing was sent: the name hooks.example.com could not be looked up in time."


def test_it_says_so_where_nobody_listens(settings: Settings) -> None:
    settings.WEBHOOK_ALLOW_PRIVATE = True
    answer = post(f"https://127.0.0.1:{free_port()}/")
    assert answer.status is None
    assert answer.error.startswith("The connection failed: ")


def test_it_says_so_where_a_name_leads_nowhere() -> None:
    answer = post("https://hooks.invalid/")
    assert answer.error == "Nothing was sent: there is no address behind the name hooks.invalid."


def test_it_speaks_only_tls(platform: Platform) -> None:
    assert "https://" in post(platform.url.replace("https", "http")).error
    assert platform.heard == []


def test_it_trusts_no_certificate_of_an_unknown_authority(settings: Settings) -> None:
    settings.WEBHOOK_ALLOW_PRIVATE = True
    with listening(trustme.CA()) as impostor:
        answer = post(impostor.url)
        assert answer.error.startswith("Its certificate is not valid: ")
        assert impostor.heard == []


def test_it_trusts_no_certificate_of_another_name(
    authority: trustme.CA, trusted: None, settings: Settings
) -> None:
    settings.WEBHOOK_ALLOW_PRIVATE = True
    with listening(authority, host="other.example.com") as impostor:
        answer = post(impostor.url)
        assert answer.error.startswith("Its certificate is not valid: Hostname mismatch")
        assert impostor.heard == []


def test_it_sends_nothing_into_our_own_network(platform: Platform, settings: Settings) -> None:
    settings.WEBHOOK_ALLOW_PRIVATE = False
    answer = post(platform.url)
    assert answer.status is None
    assert answer.error.endswith("is not an address on the public internet.")
    assert platform.heard == []


@pytest.mark.parametrize("address", ["127.0.0.1", "10.0.0.7", "169.254.169.254", "::ffff:7f00:1"])
def test_it_asks_where_a_name_leads_each_time(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    Resolver(monkeypatch, address)
    connected: list[Any] = []
    monkeypatch.setattr(socket, "create_connection", lambda where, **_: connected.append(where))
    answer = post("https://hooks.example.com/")
    assert answer.error == f"Nothing was sent: {address} is not an address on the public internet."
    assert connected == []


def test_it_connects_to_the_very_address_that_was_checked(
    authority: trustme.CA, trusted: None, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name that answers differently the second time (DNS rebinding) is not asked a second time."""
    settings.WEBHOOK_ALLOW_PRIVATE = True
    with listening(authority, host="hooks.example.com") as platform:
        resolver = Resolver(monkeypatch, "127.0.0.1", "127.0.0.2")
        assert post(f"https://hooks.example.com:{platform.port}/").accepted
        assert (resolver.asked, len(platform.heard)) == (1, 1)
        assert platform.heard[0][0]["host"] == f"hooks.example.com:{platform.port}"


def test_it_connects_to_no_private_address_behind_a_public_one(monkeypatch: pytest.MonkeyPatch) -> None:
    resolver = Resolver(monkeypatch, "8.8.8.8", "127.0.0.1")
    connected: list[Any] = []

    def refuse(where: Any, **_: Any) -> None:
        connected.append(where)
        raise ConnectionRefusedError("refused")

    monkeypatch.setattr(socket, "create_connection", refuse)
    assert post("https://hooks.example.com/").error == "The connection failed: refused."
    assert (connected, resolver.asked) == ([("8.8.8.8", 443)], 1)


@pytest.mark.parametrize(
    "address",
    [
        "0.0.0.0", "10.1.2.3", "100.64.0.1", "100.100.100.200", "127.0.0.1", "127.255.255.254", "168.63.129.16",
        "169.254.169.254", "172.16.0.1", "172.31.255.255", "192.0.0.192", "192.0.2.1", "192.168.1.1", "198.18.0.1",
        "224.0.0.1", "240.0.0.1", "255.255.255.255", "::", "::1", "::127.0.0.1", "::ffff:10.0.0.1", "::ffff:8.8.8.8",
        "64:ff9b::a00:1", "100::1", "2001::1", "2001:db8::1", "2002:7f00:1::", "fc00::1", "fd00:ec2::254", "fe80::1",
        "fec0::1", "ff02::1",
    ],
)  # fmt: skip
def test_it_tells_what_is_not_on_the_public_internet(address: str) -> None:
    assert not outbound.is_public(ip_address(address))


@pytest.mark.parametrize("address", ["8.8.8.8", "93.184.215.14", "172.32.0.1", "2606:4700:4700::1111"])
def test_it_tells_what_is_on_the_public_internet(address: str) -> None:
    assert outbound.is_public(ip_address(address))
