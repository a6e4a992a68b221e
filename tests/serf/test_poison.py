"""What real Serf agents die of: it is neither written here nor passed on."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swim.errors import ConfigError, InternalError, LocalError
from swim.serf.messages import Query, decode_serf, encode_serf
from swim.serf.query_filters import encode_filters
from tests.one_node import Lone
from tests.serf.test_queues import query

POISON = [
    query(flags=1, filters=(b"",)),
    query(flags=1, filters=(b"\x00\x91\xa2me", b"")),
    query(flags=1, name="_serf_list-keys", payload=None),
    query(flags=1, name="_serf_install-key", payload=b""),
    query(flags=1, name="_serf_use-key", payload=None),
    query(flags=1, name="_serf_remove-key", payload=b""),
]
"""What real Serf agents die of (serf's query filters and key queries index into empty bytes)."""


def written(poison: Query) -> bytes:
    """The message that the encoder refuses to write: from a harmless one of the same length."""
    harmless = poison._replace(
        name=poison.name.replace("_serf_", "_s3rf_"), filters=tuple(one or b"!" for one in poison.filters)
    )
    body = encode_serf(harmless).replace(b"_s3rf_", b"_serf_").replace(b"\xa1!", b"\xa0")
    assert decode_serf(body) == poison
    return body


@pytest.mark.parametrize("poison", POISON)
def test_what_real_serf_dies_of_ends_here(poison: Query):
    lone = Lone()
    lone.meet("x")
    lone.settle()
    lone.say(written(poison))
    assert not lone.bodies(2)
    assert lone.node.metrics.counters["swim.dropped.crashes-peers"] == 1


@pytest.mark.parametrize("poison", POISON)
def test_the_encoder_writes_nothing_that_real_serf_dies_of(poison: Query):
    with pytest.raises(InternalError, match="would crash Serf agents"):
        encode_serf(poison)


@given(st.lists(st.text(max_size=3), max_size=3), st.dictionaries(st.text(max_size=3), st.text(max_size=3)))
def test_no_filter_of_a_query_is_empty(nodes: list[str], tags: dict[str, str]):
    try:
        filters = encode_filters(nodes, tags)
    except (ConfigError, LocalError):
        return
    assert all(filters)
    assert len(filters) == bool(nodes) + len(tags)
