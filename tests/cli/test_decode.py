"""``swim decode``: packets and streams, layer by layer; what cannot be read ends with one sentence."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from hypothesis import example, given
from hypothesis import strategies as st

from swim.cli.decode.layers import Decoded, decode_packet, decode_stream
from swim.cli.main import swim
from swim.serf.coordinates import Coordinate, encode_coordinate
from swim.serf.messages import Query, QueryResponse, encode_serf
from swim.wire.codec import encode
from swim.wire.compression import compress_message
from swim.wire.go_msgpack import pack
from swim.wire.keyring import fingerprint
from swim.wire.messages import Ack, Ping, User
from tests.vectors import of_memberlist, of_serf

KEY = bytes(range(32))
LIVE = ("live_serf_plain", "live_serf_encrypted", "live_alertmanager", "live_head_label")
NAMES = {
    "enc": "encryption",
    "compress": "compression",
    "user": "user-message",
    "indirectPing": "indirect-ping",
}


def keys_of(fields: Any) -> tuple[bytes, ...]:
    return tuple(of_memberlist.some(key) for key in fields.get("keys") or [fields.get("key")] if key)


def names(decoded: Decoded) -> list[str]:
    return [layer.name for layer in decoded.layers]


def reason(decoded: Decoded) -> str:
    return str(decoded.stops[0])


def run(*arguments: str, stdin: str = "") -> Result:
    return CliRunner().invoke(swim, ["decode", *arguments], input=stdin, standalone_mode=False)


# -- what real peers sent


@pytest.mark.parametrize("vector", of_memberlist.load(*LIVE))
def test_traffic_of_real_peers_has_the_layers_that_its_name_lists(vector: Any) -> None:
    fields = vector["fields"]
    decode = decode_stream if fields["transport"] == "tcp" else decode_packet
    label = "dc1.prod" if "AAD" in vector["notes"] else ""
    decoded = decode(of_memberlist.some("hex:" + vector["hex"]), keys_of(fields), label=label)
    assert not decoded.stops
    if fields["transport"] == "udp":
        words = re.findall(r"[A-Za-z]+", vector["name"].partition("-")[2])
        assert {NAMES.get(word, word) for word in words} == {n for n in names(decoded) if "serf" not in n}


@pytest.mark.parametrize("vector", of_memberlist.load("malformed"))
def test_malformed_input_stops_or_is_shown(vector: Any) -> None:
    data = of_memberlist.some("hex:" + vector["hex"])
    for decode in (decode_packet, decode_stream):
        assert_sound(decode(data))


@pytest.mark.parametrize("vector", of_serf.load("captured_gossip"))
def test_serfs_messages_are_shown_with_their_fields(vector: Any) -> None:
    body = of_serf.body(vector)
    if vector["fields"].get("type") not in (0, 1, 3, 4, 5, 9):
        return
    decoded = decode_packet(b"\x08" + body)
    assert not decoded.stops
    assert names(decoded)[:1] == ["user-message"]
    shown = decoded.layers[1].fields
    for name, value in vector["fields"]["body"].items():
        if name in ("LTime", "Node", "Name", "ID", "Port", "CC", "Prune"):
            ours = {"CC": "coalesce", "DestName": "name"}.get(name, name.lower())
            assert shown[ours] == value


@pytest.mark.parametrize("vector", of_serf.load("ping_payload"))
def test_an_acks_coordinate_is_read(vector: Any) -> None:
    decoded = decode_packet(encode(Ack(7, of_serf.body(vector))))
    assert decoded.layers[0].fields["payload"]["height"] == vector["fields"]["Height"]


# -- where it stops


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        ("", "in the outermost layer at byte 0: there are no bytes"),
        ("f4", "in the label layer at byte 1: it is cut short"),
        ("f405ab", "in the label layer at byte 3: it is cut short"),
        ("f400ab", "in the label layer at byte 1: header without a label"),
        ("f40161", "in the label layer at byte 3: nothing follows it"),
        ("0c0000", "in the crc layer at byte 3: it is cut short"),
        ("0c0000000008", "in the crc layer at byte 1: it says 00000000, and the bytes give dcd967bf"),
        ("07", "in the compound layer at byte 1: it is cut short"),
        ("0702000200", "in the compound layer at byte 5: it is cut short"),
        ("0701000208", "in the compound layer at byte 4: 1 of 1 messages are cut short"),
        ("07010000", "in the message layer at byte 4: it has no bytes"),
        ("63", "in the message layer at byte 0: type 99 is no message of a packet"),
        ("0682a4", "in the message layer at byte 0: push-pull is no message of a packet"),
        ("0281a55365714e6f", "in the ack layer at byte 8: a value is cut short or malformed"),
        ("0281a55365714e6fc1", "in the ack layer at byte 8: a value is cut short or malformed"),
        ("0803c1", "in the serf user-event layer at byte 2: a value is cut short or malformed"),
        ("0808", "in the serf key-response layer at byte 2: Serf sends no message of this type by itself"),
        ("09c1", "in the compression layer at byte 1: a value is cut short or malformed"),
    ],
)
def test_the_sentence_names_layer_and_byte(data: str, sentence: str) -> None:
    assert reason(decode_packet(bytes.fromhex(data))) == f"decoding stopped {sentence}"


def test_a_part_that_cannot_be_read_ends_only_itself() -> None:
    whole = encode(Ping(7, "n1"))
    parts = (whole, b"\x02\xc1", whole)
    data = b"\x07\x03" + b"".join(len(part).to_bytes(2, "big") for part in parts) + b"".join(parts)
    decoded = decode_packet(data)
    assert names(decoded) == ["compound", "ping", "ping"]
    assert reason(decoded) == (
        f"decoding stopped in the ack layer at byte {8 + len(whole) + 1}: a value is cut short or malformed"
    )


def test_positions_inside_a_layer_count_from_its_contents() -> None:
    [vector] = [p.values[0] for p in of_memberlist.load("live_serf_encrypted")][:1]
    data = of_memberlist.some("hex:" + vector["hex"])
    decoded = decode_packet(data, keys_of(vector["fields"]))
    assert [str(layer.place) for layer in decoded.layers[:4]] == [
        "byte 0", "byte 0 of the decrypted bytes", "byte 5 of the decrypted bytes",
        "byte 0 of the decompressed bytes",
    ]  # fmt: skip


@pytest.mark.parametrize(("keys", "why"), [((), "it looks encrypted: give the key"), ((KEY,), "no key fits")])
def test_an_encrypted_packet_takes_the_key(keys: tuple[bytes, ...], why: str) -> None:
    [vector] = [p.values[0] for p in of_memberlist.load("live_serf_encrypted")][:1]
    decoded = decode_packet(of_memberlist.some("hex:" + vector["hex"]), keys)
    assert (names(decoded), len(decoded.stops)) == ([], 1)
    assert reason(decoded).startswith(f"decoding stopped in the encryption layer at byte 0: {why}")


def test_bytes_after_a_push_pull_move_nothing() -> None:
    vector = next(
        p.values[0] for p in of_memberlist.load("live_serf_plain") if p.values[0]["name"].startswith("tcp-34")
    )
    data = of_memberlist.some("hex:" + vector["hex"])
    decoded, longer = decode_stream(data), decode_stream(data + b"more")
    places = [[(layer.name, layer.place) for layer in each.layers] for each in (decoded, longer)]
    assert places[0] == places[1]
    assert not longer.stops


def test_all_compression_layers_share_one_limit() -> None:
    bomb = compress_message(b"\x08" + b"x" * 10_000)
    decoded = Decoded(_room=25_000)
    decoded.packet(b"\x07\x03" + len(bomb).to_bytes(2, "big") * 3 + bomb * 3, (), b"")
    assert names(decoded).count("compression") == 2
    assert "decompressed-too-large" in reason(decoded)


# -- any bytes


def assert_sound(decoded: Decoded) -> None:
    assert decoded.layers or decoded.stops
    for stop in decoded.stops:
        assert re.fullmatch(
            r"decoding stopped in the .+ layer at byte \d+( of the \w+ bytes)?: .+", str(stop)
        )
        assert "Error" not in str(stop)


PIECES = st.sampled_from(
    [
        b"\xf4\x01a",
        b"\x0c",
        b"\x07\x02",
        b"\x09",
        b"\x0a",
        b"\x01",
        b"\x08",
        b"\x06",
        b"\x02",
        b"\x04",
        b"\x09\x82",
    ]
)


@given(st.lists(PIECES | st.binary(max_size=40), max_size=8).map(b"".join), st.booleans())
@example(b"\x07\x01\x00\x01" * 40, False)
@example(b"\x08" + b"\x09\x82\xa8DestAddr\x82\xa2IP\xa4\x7f\0\0\1\xa4Port\1\xa8DestName\xa0" * 40, False)
def test_any_bytes_are_shown_or_stop(data: bytes, has_key: bool) -> None:
    keys = (KEY,) if has_key else ()
    assert_sound(decode_packet(data, keys))
    assert_sound(decode_stream(data, keys))


@given(st.data())
def test_every_cut_of_a_real_packet_says_where(data: st.DataObject) -> None:
    vector = data.draw(st.sampled_from([p.values[0] for p in of_memberlist.load(*LIVE)]))
    whole = of_memberlist.some("hex:" + vector["hex"])
    cut = data.draw(st.integers(0, len(whole) - 1))
    decode: Callable[..., Decoded] = (
        decode_stream if vector["fields"]["transport"] == "tcp" else decode_packet
    )
    assert_sound(decode(whole[:cut], keys_of(vector["fields"])))


# -- secrets


def test_keys_are_shown_as_fingerprints_only() -> None:
    request = Query(
        1, 1, b"\x7f\0\0\1", 7946, "n1", (), 0, 0, 10**9, "_serf_install-key", b"\7" + pack({"Key": KEY})
    )
    answer = QueryResponse(1, 1, "n1", 0, b"\x08" + pack({"Keys": {base64.b64encode(KEY): 1}}))
    for message in (request, answer):
        decoded = decode_packet(encode(User(encode_serf(message))))
        assert decoded.layers[1].fields["payload"] == "not shown: it contains a gossip key"


# -- the command


def test_the_command_prints_the_layers() -> None:
    ack = encode(Ack(7, encode_coordinate(Coordinate())))
    done = run(ack.hex())
    assert (done.exception, done.output.splitlines()[:2]) == (
        None,
        [f"ack  (byte 0, {len(ack)} bytes)", "  seq_no: 7"],
    )
    assert "error=1.5" in done.output


@pytest.mark.parametrize(
    "given", [["02 81 a5 53 65 71 4e 6f 07"], ["02:81:a5:53:65:71:4e:6f:07"], ["0x0281a5", "0x5365714e6f07"]]
)
def test_digits_may_be_written_in_any_usual_way(given: list[str]) -> None:
    for done in (run(*given), run(stdin="\n".join(given)), run("-", stdin="\n".join(given) + "\n")):
        assert done.output == "ack  (byte 0, 9 bytes)\n  seq_no: 7\n  payload: none\n"


def test_json_has_the_layers_and_the_stops() -> None:
    done = run("--json", "0702000900020281a55365714e6f0702c1")
    assert json.loads(done.output) == {
        "kind": "packet",
        "bytes": 17,
        "layers": [
            {
                "layer": "compound", "depth": 0, "byte": 0, "of": "input", "bytes": 17,
                "fields": {"messages": 2},
            },
            {
                "layer": "ack", "depth": 1, "byte": 6, "of": "input", "bytes": 9,
                "fields": {"seq_no": 7, "payload": None},
            },
        ],
        "stopped": [
            {"layer": "ack", "byte": 16, "of": "input", "reason": "a value is cut short or malformed"}
        ],
    }  # fmt: skip
    assert str(done.exception) == (
        "decoding stopped in the ack layer at byte 16: a value is cut short or malformed"
    )


@pytest.mark.parametrize(("digits", "why"), [("0g", "digit 2 is 'g'"), ("abc", "3 hexadecimal digits")])
def test_other_text_is_refused(digits: str, why: str) -> None:
    assert why in str(run(digits).exception)


def test_the_key_comes_from_a_file(tmp_path: Path) -> None:
    [vector] = [p.values[0] for p in of_memberlist.load("live_serf_encrypted")][:1]
    file = tmp_path / "key"
    [key] = keys_of(vector["fields"])
    file.write_text(base64.b64encode(key).decode())
    done = run("--key-file", str(file), vector["hex"])
    assert done.exception is None
    assert fingerprint(key) in done.output
    file.write_text("nonsense")
    assert "--key-file" in str(run("--key-file", str(file), vector["hex"]).exception)
