"""Hypothesis strategies for messages, as peers may send them."""

from __future__ import annotations

from hypothesis import strategies as st

from swim.wire.messages import (
    Ack,
    Alive,
    Dead,
    IndirectPing,
    Nack,
    NodeRecord,
    Ping,
    PushPull,
    Suspect,
    User,
)

u16 = st.integers(0, 2**16 - 1)
u32 = st.integers(0, 2**32 - 1)
names = st.binary(min_size=1, max_size=40).map(lambda raw: raw.decode("utf-8", "surrogateescape"))
texts = st.one_of(st.just(""), names, st.just("n" * 255))
addresses = st.one_of(st.binary(min_size=4, max_size=4), st.binary(min_size=16, max_size=16))
metas = st.one_of(st.none(), st.binary(max_size=40), st.just(b"m" * 512))
versions = st.tuples(
    st.integers(1, 255), st.integers(1, 255), st.integers(1, 255), st.binary(min_size=3, max_size=3)
).map(lambda v: bytes((min(v[:3]), max(v[:3]), sorted(v[:3])[1])) + v[3])
sources = (st.one_of(st.just(b""), addresses), u16, texts)

messages = st.one_of(
    st.builds(Ping, u32, texts, *sources),
    st.builds(IndirectPing, u32, addresses, u16, texts, st.booleans(), *sources),
    st.builds(Ack, u32, st.one_of(st.none(), st.binary(max_size=300))),
    st.builds(Nack, u32),
    st.builds(Suspect, u32, texts, texts),
    st.builds(Dead, u32, texts, texts),
    st.builds(Alive, u32, names, addresses, u16, metas, versions),
    st.builds(User, st.binary(max_size=300)),
)
"""Every message a packet may carry."""

records = st.builds(NodeRecord, names, addresses, u16, metas, u32, st.integers(0, 3), versions)
push_pulls = st.builds(
    PushPull,
    st.booleans(),
    st.lists(records, max_size=5).map(tuple),
    st.binary(max_size=300),
)
