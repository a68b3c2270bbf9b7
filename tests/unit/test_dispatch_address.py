"""Goal: a customer's URL never makes this machine talk to itself, its neighbours or a metadata
service, however the address is written and whatever the name resolves to.

Method: tables of attacks and of what must stay possible; the resolver is the test's.
"""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from posengine.dispatch import AddressRefused, address_fault, judge_url
from posengine.dispatch.address import Target, resolve_once

REFUSED_TEXT = """
127.0.0.1 127.1.2.3 ::1 0.0.0.0 :: 10.0.0.1 10.255.255.255 172.16.0.1 172.31.9.9 192.168.1.1
100.64.0.1 100.127.255.254 169.254.0.1 169.254.169.254 100.100.100.200 168.63.129.16
192.0.0.1 192.0.2.1 198.18.0.1 198.19.255.255 198.51.100.7 203.0.113.9 224.0.0.1 239.255.255.255
240.0.0.1 255.255.255.255 fe80::1 febf::1 fc00::1 fd12:3456::1 fd00:ec2::254 ff02::1 2001:db8::1
::ffff:127.0.0.1 ::ffff:10.0.0.1 ::ffff:169.254.169.254 ::ffff:192.168.0.1 64:ff9b::7f00:1
64:ff9b::a00:1 64:ff9b::a9fe:a9fe 64:ff9b:1::7f00:1 2002:7f00:1:: 2002:a00:1:: 2002:a9fe:a9fe::
2001:0:4136:e378:8000:63bf:80ff:fffe
"""
TAKEN_TEXT = """
8.8.8.8 1.1.1.1 93.184.216.34 2606:4700:4700::1111 ::ffff:8.8.8.8 64:ff9b::808:808
"""
NEVER_TEXT = """
169.254.0.1 169.254.169.254 100.100.100.200 168.63.129.16 fe80::1 fd00:ec2::254 0.0.0.0 :: 224.0.0.1
ff02::1 ::ffff:169.254.169.254 64:ff9b::a9fe:a9fe 2002:a9fe:a9fe:: 240.0.0.1
"""
REFUSED, TAKEN, NEVER = REFUSED_TEXT.split(), TAKEN_TEXT.split(), NEVER_TEXT.split()


@pytest.mark.parametrize("address", REFUSED)
def test_an_inner_address_is_refused_however_it_is_written(address: str) -> None:
    assert address_fault(address, allow_loopback=False, allow_private=False) is not None


@pytest.mark.parametrize("address", TAKEN)
def test_a_public_address_is_taken(address: str) -> None:
    assert address_fault(address, allow_loopback=False, allow_private=False) is None


@pytest.mark.parametrize("address", NEVER)
def test_some_addresses_are_never_talked_to(address: str) -> None:
    assert address_fault(address, allow_loopback=True, allow_private=True) is not None


@pytest.mark.parametrize("address", ["10.0.0.1", "192.168.1.1", "fd12:3456::1", "127.0.0.1"])
def test_an_operator_may_allow_his_own_network(address: str) -> None:
    assert address_fault(address, allow_loopback=False, allow_private=True) is None


@pytest.mark.parametrize("text", ["", "localhost", "1.2.3", "0x7f000001", "2130706433"])
def test_what_is_no_address_is_refused(text: str) -> None:
    assert address_fault(text, allow_loopback=True, allow_private=True) == "no address"


@pytest.mark.parametrize(
    "url",
    [
        "", "shop.example", "//shop.example/x", "ftp://shop.example/", "file:///etc/passwd",
        "gopher://shop.example/", "https://", "https:///path", "http://shop.example/",
        "https://user@shop.example/", "https://user:secret@shop.example/",
        "https://127.0.0.1@shop.example/", "https://shop.example/#x", "https://shop.example:22/",
        "https://shop.example:6379/", "https://shop.example:99999/", "https://shop.example:x/",
        "https://shop.example/\\..", "https://shop.example\\@10.0.0.1/", "https://shop.example/ x",
        "https://shop.example/\r\nHost: other", "https://shop.example/\tx", "https://[::1/",
        "https://店.example/", "https://shop.example/" + "x" * 3000, "javascript:alert(1)",
    ],
)
def test_a_url_of_another_form_is_refused(url: str) -> None:
    with pytest.raises(AddressRefused):
        judge_url(url)


@pytest.mark.parametrize(
    ("url", "settings", "host", "port", "path"),
    [
        ("https://shop.example", {}, "shop.example", 443, "/"),
        ("https://shop.example:8443/pos?x=1", {}, "shop.example", 8443, "/pos?x=1"),
        ("https://shop.example:9000/", {"ports": [9000]}, "shop.example", 9000, "/"),
        ("http://shop.example/", {"allow_http": True}, "shop.example", 80, "/"),
        ("http://127.0.0.1:8080/hook", {}, "127.0.0.1", 8080, "/hook"),
        ("http://localhost:8080/hook", {}, "localhost", 8080, "/hook"),
        ("http://[::1]:8080/hook", {}, "::1", 8080, "/hook"),
        ("https://10.0.0.1:9999/", {"allow_private": True}, "10.0.0.1", 9999, "/"),
    ],
)
def test_a_url_of_the_right_form_becomes_a_target(
    url: str, settings: dict[str, object], host: str, port: int, path: str
) -> None:
    target = judge_url(url, **settings)  # type: ignore[arg-type]
    assert (target.host, target.port, target.path) == (host, port, path)


def resolved(target: Target, *addresses: str) -> str:
    return resolve_once(target, resolve=lambda host, port: addresses)


@pytest.mark.parametrize("address", REFUSED)
def test_a_name_that_resolves_inwards_is_refused(address: str) -> None:
    with pytest.raises(AddressRefused, match=r"shop\.example is"):
        resolved(judge_url("https://shop.example/"), address)


def test_one_bad_address_among_good_ones_refuses_them_all() -> None:
    with pytest.raises(AddressRefused, match=r"10\.0\.0\.1"):
        resolved(judge_url("https://shop.example/"), "8.8.8.8", "10.0.0.1")


def test_a_name_is_resolved_once_and_its_first_address_kept() -> None:
    asked: list[str] = []

    def changing(host: str, port: int) -> Sequence[str]:
        asked.append(host)
        return ["8.8.8.8", "1.1.1.1"] if len(asked) == 1 else ["127.0.0.1"]

    assert resolve_once(judge_url("https://shop.example/"), resolve=changing) == "8.8.8.8"
    assert asked == ["shop.example"]


def test_only_a_url_that_says_this_machine_may_reach_it() -> None:
    assert resolved(judge_url("http://localhost:8080/"), "127.0.0.1") == "127.0.0.1"
    with pytest.raises(AddressRefused, match="this machine"):
        resolved(judge_url("https://localhost.shop.example/"), "127.0.0.1")
    with pytest.raises(AddressRefused, match="private"):
        resolved(judge_url("http://localhost:8080/"), "10.0.0.1")


def test_a_name_without_an_address_is_for_later() -> None:
    with pytest.raises(OSError, match="no address"):
        resolved(judge_url("https://shop.example/"))
