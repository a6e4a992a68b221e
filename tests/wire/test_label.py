"""The label header."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swim.config import Config
from swim.errors import ConfigError, RemoteError
from swim.wire.keyring import Keyring
from swim.wire.label import add_label, split_label
from swim.wire.packet import PacketCodec
from tests.vectors.of_memberlist import load, select, some


@pytest.mark.parametrize("vector", select(load("label"), lambda v: v["name"].startswith("packet-label-")))
def test_headers_are_written_like_memberlists(vector):
    fields = vector["fields"]
    label = fields.get("label", "x" * 256)
    if "error" in fields:
        with pytest.raises(ConfigError, match="label"):
            Config(name="n", label=label)
    else:
        assert add_label(some(fields["payload"]), label.encode()) == bytes.fromhex(vector["hex"])


@pytest.mark.parametrize(
    "vector", select(load("label"), lambda v: v["name"].startswith(("parse-", "stream-", "packet-label-")))
)
def test_headers_are_read_like_memberlists(vector):
    data, fields = bytes.fromhex(vector["hex"]), vector["fields"]
    if "truncated" in fields.get("error", "") or not data:
        assert split_label(data) is None
    elif "error" in fields:
        with pytest.raises(RemoteError, match="label"):
            split_label(data)
    else:
        label, offset = split_label(data)
        assert label.decode() == fields["label"]
        assert data[offset:] == some(fields.get("payload", fields.get("rest")))


@pytest.mark.parametrize("vector", select(load("label"), lambda v: v["name"].startswith("accept-")))
def test_acceptance_matrix(vector):
    fields = vector["fields"]
    keys = (some(fields["key"]),) if fields["key"] else ()
    config = Config(
        name="n",
        label=fields["config_label"],
        skip_inbound_label_check=fields["skip_inbound_label_check"],
        keys=keys,
    )
    codec = PacketCodec(config, Keyring(keys), bytes)
    data = bytes.fromhex(vector["hex"])
    if fields["accepted"]:
        assert codec.open(data) == [b"\x08hi"]
    else:
        with pytest.raises(RemoteError, match="label"):
            codec.open(data)


@given(st.binary(max_size=255), st.binary(min_size=1, max_size=20))
def test_round_trip(label, data):
    if not label and data[0] == 0xF4:
        return
    labelled = add_label(data, label)
    found, offset = split_label(labelled)
    assert (found, labelled[offset:]) == (label, data)
