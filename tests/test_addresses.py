"""Addresses: one syntax both ways, names that a resolver can be asked for, and which can be a member's."""

from __future__ import annotations

import ipaddress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swim.addresses import (
    join_bind,
    join_host_port,
    parse_address,
    split_bind,
    split_host_port,
    why_unusable,
)
from swim.config import Config
from swim.errors import ConfigError

IPS = st.ip_addresses().map(str)
PORTS = st.integers(0, 65_535)


@given(IPS, PORTS)
def test_what_is_joined_is_split_again(host: str, port: int) -> None:
    assert split_host_port("bind", join_host_port(host, port)) == (host, port)
    assert split_host_port("bind", host, port) == (host, port)


@given(IPS | st.just("web-1.example"), st.integers(1, 65_535), st.integers(1, 65_535))
def test_a_bind_address_has_one_port_or_a_range(host: str, one: int, other: int) -> None:
    ports = range(min(one, other), max(one, other) + 1)
    assert split_bind("bind", join_bind(host, ports)) == (host, ports)
    assert split_bind("bind", join_host_port(host, one)) == (host, range(one, one + 1))
    assert split_bind("bind", host, one) == (host, range(one, one + 1))


@pytest.mark.parametrize(
    ("bind", "wanted"),
    [
        (
            "127.0.0.1:8000-7946",
            "8000-7946 in '127.0.0.1:8000-7946' is not a range of ports, such as 7946-7999",
        ),
        ("127.0.0.1:0-5", "0-5 in '127.0.0.1:0-5' is not a range"),
        ("127.0.0.1:0-0", "0-0 in '127.0.0.1:0-0' is not a range"),
        ("[::1]:5-65536", "port '65536' in '[::1]:65536' is not a number from 0 to 65535"),
        ("127.0.0.1:-5", "ends in ':' without a port"),
        ("127.0.0.1:5-", "ends in ':' without a port"),
        ("127.0.0.1:5-6-7", "port '5-6-7' in '127.0.0.1:5-6-7' is not a number"),
        ("web-1", "has no port"),
        ("::1-5", "not an IPv6 address"),
        (":5-6", "has no host"),
        (7946, "must be text like HOST:PORT"),
    ],
)
def test_a_wrong_range_of_ports_is_explained(bind: Any, wanted: str) -> None:
    with pytest.raises(ConfigError) as raised:
        split_bind("bind", bind)
    assert raised.value.field == "bind"
    assert wanted in raised.value.reason


@given(st.from_regex(r"[a-z0-9][a-z0-9_-]{0,62}(\.[a-z][a-z0-9-]{0,30}){0,3}\.?", fullmatch=True), PORTS)
def test_names_are_split_too(host: str, port: int) -> None:
    if host.removesuffix(".").rpartition(".")[2].isdigit() or host.startswith("0x"):
        return
    assert parse_address(f"node/{host}:{port}", 1) == ("node", host, port)
    assert parse_address(host, port) == ("", host, port)


@given(st.text(max_size=80) | st.from_regex(r"[\[\]:/a-f0-9.%@,]{0,30}", fullmatch=True))
def test_any_text_is_an_address_that_a_resolver_takes_or_a_clear_error(text: str) -> None:
    try:
        parsed = parse_address(text, 7946, field="seeds")
    except ConfigError:
        return
    assert 0 <= parsed.port <= 65_535
    if parsed.literal is None:
        parsed.host.encode("idna")  # as getaddrinfo does; it raises UnicodeError for what it refuses
        assert "\0" not in parsed.host
    else:
        ipaddress.ip_address(parsed.literal[0])


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("a:1,b:2", "several addresses"),
        ("a,b", "several addresses"),
        ("http://seed.example:7946", "is a URL"),
        ("udp://10.0.0.1", "is a URL"),
        ("a:b:c", "not an IPv6 address"),
        ("1:2:3", "not an IPv6 address"),
        ("[seed.example]:1", "not an IPv6 address"),
        ("[10.0.0.1]:1", "not an IPv6 address"),
        ("[::1", "unbalanced"),
        ("[::1]7946", "unbalanced"),
        ("seed.example:", "without a port"),
        ("[::1]:", "without a port"),
        ("seed.example:gossip", "not a number"),
        ("seed.example:65536", "not a number"),
        ("seed.example:" + "9" * 5000, "not a number"),
        ("seed.example:-1", "not a number"),
        ("seed.example:\u0661", "not a number"),
        ("", "no host"),
        (":7946", "no host"),
        ("/10.0.0.1", "empty node name"),
        ("1", "not an IPv4 address"),
        ("127.1", "not an IPv4 address"),
        ("300.1.1.1", "not an IPv4 address"),
        ("10.0.0.0x1", "not an IPv4 address"),
        ("0x7f000001", "not an IPv4 address"),
        ("web-1..example.com", "1 to 63"),
        (".", "1 to 63"),
        ("..", "1 to 63"),
        (".example", "1 to 63"),
        ("a" * 64, "1 to 63"),
        ("a." * 127 + "com", "at most 253"),
        ("\u00fc" * 60, "not a host name"),
        ("\u3002", "has no"),
        ("\udcff", "has no"),
        ("a b", "has no ' '"),
        ("a\0b", "has no"),
        ("a\nb", "has no"),
        ("user@host", "has no '@'"),
        ("%ff", "has no '%'"),
        ("*", "has no"),
    ],
)
def test_what_is_no_address_is_refused_with_what_is_wanted(text: str, wanted: str) -> None:
    with pytest.raises(ConfigError) as refusal:
        parse_address(text, 7946, field="seeds")
    assert wanted in str(refusal.value)
    with pytest.raises(ConfigError, match="seeds: "):
        Config.lan(name="n", seeds=[text])


@pytest.mark.parametrize(
    "text", ["b\u00fccher.example", "_gossip.web-1.example.", "9.example", "1a", "::ffff:10.0.0.1"]
)
def test_names_that_exist_are_taken(text: str) -> None:
    assert parse_address(text, 1).host == text


def test_one_address_is_written_in_one_way() -> None:
    assert parse_address("[FD00:0:0::0001%eth0]:1", 2).literal == ("fd00::1", 1)
    assert parse_address("::ffff:10.0.0.1", 2).literal == ("10.0.0.1", 2)


@pytest.mark.parametrize("seed", [None, 7, b"seed.example", ("10.0.0.1", 7946)])
def test_an_address_is_text(seed: Any) -> None:
    with pytest.raises(ConfigError, match="seeds: must be text"):
        parse_address(seed, 1, field="seeds")


@pytest.mark.parametrize(
    ("own", "host", "why"),
    [
        ("10.0.0.1", "10.0.0.2", ""),
        ("10.0.0.1", "8.8.8.8", ""),
        ("169.254.1.1", "169.254.1.2", ""),
        ("169.254.1.1", "10.0.0.2", ""),
        ("10.0.0.1", "169.254.169.254", "a link-local address, and this node is at 10.0.0.1"),
        ("127.0.0.1", "127.9.9.9", ""),
        ("fd00::1", "2001:db8::1", ""),
        ("::1", "::1", ""),
        ("10.0.0.1", "::ffff:10.0.0.2", ""),
        ("10.0.0.1", "0.0.0.0", "unspecified"),
        ("10.0.0.1", "0.0.0.1", "unspecified"),
        ("127.0.0.1", "0.0.0.0", "unspecified"),
        ("fd00::1", "::", "unspecified"),
        ("10.0.0.1", "::ffff:0.0.0.0", "unspecified"),
        ("10.0.0.1", "224.0.0.1", "multicast"),
        ("10.0.0.1", "239.255.255.255", "multicast"),
        ("fd00::1", "ff02::1", "multicast"),
        ("10.0.0.1", "255.255.255.255", "broadcast"),
        ("fd00::1", "fe80::1", "link-local"),
        ("10.0.0.1", "fd00::1", "IPv6 address, and this node uses IPv4"),
        ("fd00::1", "10.0.0.1", "IPv4 address, and this node uses IPv6"),
        ("10.0.0.1", "127.0.0.1", "loopback"),
        ("fd00::1", "::1", "loopback"),
        ("127.0.0.1", "10.0.0.1", "an address beyond loopback"),
        ("127.0.0.1", "169.254.169.254", "an address beyond loopback"),
        ("::1", "2001:db8::1", "an address beyond loopback"),
        ("10.0.0.1", "seed.example", "not an IP address"),
    ],
)
def test_which_addresses_can_be_a_members(own: str, host: str, why: str) -> None:
    found = why_unusable(host, own)
    assert why in found
    assert bool(found) == bool(why)


@given(IPS, IPS)
def test_a_usable_address_is_one_hosts_and_in_scope(own: str, host: str) -> None:
    if not why_unusable(host, own):
        address = ipaddress.ip_address(host)
        assert not address.is_unspecified
        assert not address.is_multicast
        assert address.is_loopback == ipaddress.ip_address(own).is_loopback
