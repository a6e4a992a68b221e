"""Contacts: addresses that acked or that an operator named; all others are pinged at most."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from swim.addresses import Endpoint
from swim.core.contacts import Contacts
from swim.core.member import Record, State
from swim.core.table import TableBase
from swim.wire.messages import Alive
from tests.one_node import VSN

PORTS = range(7000, 7006)
steps = st.lists(st.tuples(st.booleans(), st.sampled_from(PORTS)), max_size=40)


def at(port: int) -> Endpoint:
    return "127.0.0.1", port


@given(st.sets(st.sampled_from(PORTS)), steps)
def test_an_ack_makes_a_contact_for_good_and_a_ping_makes_none(
    base: set[int], taken: list[tuple[bool, int]]
) -> None:
    contacts = Contacts(100)
    contacts.start_from(
        TableBase(
            [
                Record(Alive(1, f"m{port}", b"\x7f\0\0\1", port, None, VSN), State.ALIVE, 0.0, verified=True)
                for port in sorted(base)
            ]
        )
    )
    known, pinged = set(base), set[int]()
    for has_acked, port in taken:
        if has_acked:
            contacts.learn(at(port))
            known.add(port)
        else:
            contacts.pinged(at(port))
            pinged.add(port)
        assert {one for one in PORTS if contacts.is_known(at(one))} == known
        assert {one for one in PORTS if contacts.is_silent(at(one))} == pinged - known


def test_beyond_the_limit_the_oldest_contact_must_ack_again() -> None:
    contacts = Contacts(3)
    for port in range(7000, 7004):
        contacts.learn(at(port))
    assert [contacts.is_known(at(port)) for port in range(7000, 7004)] == [False, True, True, True]
    contacts.learn(at(7000))
    assert [contacts.is_known(at(port)) for port in range(7000, 7004)] == [True, False, True, True]


def test_silent_addresses_are_bounded_and_the_oldest_go() -> None:
    contacts = Contacts(3)
    for number in range(5000):
        contacts.pinged(("10.0.0.1", number + 1))
    silent = [number for number in range(5000) if contacts.is_silent(("10.0.0.1", number + 1))]
    assert silent == list(range(5000 - len(silent), 5000))
    assert len(silent) < 5000
