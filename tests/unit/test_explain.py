"""Goal: `explain` names the fault that the core finds, finds the body by itself, proves its hints,
and shows no secret; `decode`, `explain` and `spec` say the same on the command line.

Method: every shared vector is explained; messages are built under dialects that differ in one thing
and explained under the right one; output is searched for the secrets that went in.
"""

from __future__ import annotations

import functools
import json
import re
from pathlib import Path

import pytest

from oracle.vectors import Vector, vectors
from posengine import mac
from posengine.cli import main
from posengine.cli.decode import facts_of
from posengine.codec import Spec, explain
from posengine.codec.picture import picture

ALL = vectors("message")
GOOD = [vector for vector in ALL if "events" in vector.blocks]
SPEC = functools.cache(Spec.load)
SALE = next(v for v in ALL if v.path.stem == "public_sale_request").data
# What may never be shown of it: PAN and track, PIN block.
SECRETS = ("6225000000000014", "D3018581", "6E83D8C871679F76")
MAK = "3333333333333333"


def unionpay() -> Spec:
    return SPEC("unionpay-terminal")


@pytest.mark.parametrize("vector", GOOD, ids=lambda v: v.name)
def test_nothing_is_wrong_with_a_good_message(vector: Vector) -> None:
    found = explain(SPEC(vector.words["Dialect"]), vector.data)
    assert found.findings == ()
    assert found.form == ("frame" if vector.is_frame else "body")


@pytest.mark.parametrize(
    "vector",
    [v for v in ALL if "fault" in v.blocks and not v.is_frame],
    ids=lambda v: v.name,
)
def test_the_first_finding_is_the_fault_of_the_vector(vector: Vector) -> None:
    wanted = vector.fault()
    found = explain(SPEC(vector.words["Dialect"]), vector.data, seek_causes=False)
    first = found.findings[0]
    assert first.status == wanted["status"]
    assert first.field == int(wanted.get("field", 0))
    if "off" in wanted:
        assert first.offset == int(wanted["off"])


@pytest.mark.parametrize("vector", [v for v in GOOD if "MAK" in v.words], ids=lambda v: v.name)
def test_the_mac_is_judged_with_its_key_and_only_then(vector: Vector) -> None:
    spec, key = SPEC(vector.words["Dialect"]), bytes.fromhex(vector.words["MAK"])
    without = explain(spec, vector.data)
    assert without.mac is not None
    assert without.mac.verdict is None
    assert explain(spec, vector.data, key=key, compute=mac.compute).is_good
    wrong = explain(spec, vector.data, key=bytes(8), compute=mac.compute)
    assert [each.status for each in wrong.findings] == ["MAC_MISMATCH"]


@pytest.mark.parametrize(
    ("data", "form", "status"),
    [
        (SALE, "frame", None),
        (SALE[2:], "frame without its length", None),
        (SALE[7:], "frame without its length", None),
        (SALE[13:], "body", None),
        (b"\x00\x75" + SALE[2:], "frame with a wrong length", "FRAME_LENGTH"),
        (SALE[:2] + SALE[7:], "frame with a wrong length", "FRAME_TPDU"),
        (SALE[:7] + SALE[13:], "frame with a wrong length", "FRAME_HEADER"),
        (SALE[:2] + b"\x61" + SALE[3:], "frame", "FRAME_TPDU"),
        (SALE[:7] + b"\x6f" + SALE[8:], "frame", "FRAME_HEADER"),
        (SALE + b"\x00", "frame", "FIELD_TRAILING"),
    ],
)
def test_the_body_is_found_in_whatever_was_captured(
    data: bytes, form: str, status: str | None
) -> None:
    found = explain(unionpay(), data)
    assert (found.form, found.mti, len(found.fields)) == (form, "0200", 14)
    assert [each.status for each in found.findings] == ([status] if status else [])


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        ("field.35.prefix", "binary", "field 35 has a binary length"),
        ("field.60.prefix", "binary", "field 60 has a binary length"),
        ("field.35.encoding", "ascii", "field 35 is written in characters"),
        ("field.22.encoding", "ascii", "field 22 is written in characters"),
        ("field.60.counts", "bytes", "field 60 counts bytes and not digits"),
        ("field.60.length", "LL", "field 60 has a length of form LL"),
        ("message.mti", "ascii", "With mti = ascii"),
        ("message.bitmap", "hex", "With bitmap = hex"),
        ("message.version", 1, "With any version of the standard"),
    ],
)
def test_a_hint_is_proved_by_a_message_of_a_dialect_that_differs_in_it(
    path: str, value: object, words: str
) -> None:
    document = json.loads(json.dumps(unionpay().document))
    table, *names = path.split(".")
    place = document[table]
    for name in names[:-1]:
        place = place[name]
    place[names[-1]] = value
    if path == "message.version":
        document["kind"] = []  # they are of version 0
    other = Spec(document, file="other")
    fields = dict(unionpay().parse(SALE[13:]))
    fields[35] = "6225000000000014D30122010000012345678"
    if path == "field.60.counts":
        fields[60] = str(fields[60]) + "1"  # an even count, so that no filler is in doubt
    found = explain(unionpay(), other.build("1200" if value == 1 else "0200", fields))
    assert not found.is_good
    proved = [hint.text for hint in found.hints if hint.is_proved]
    assert any(words in text for text in proved), proved


def test_what_is_cut_off_has_no_proved_cause() -> None:
    for size in range(20, len(SALE) - 1, 7):
        found = explain(unionpay(), SALE[13:size])
        assert not [hint.text for hint in found.hints if hint.is_proved], size


def test_a_message_of_another_dialect_is_known_as_such() -> None:
    body = SPEC("iso8583-1987-ascii").build("0800", {11: "000001", 70: "301"})
    found = explain(unionpay(), body)
    assert any("iso8583-1987-ascii" in hint.text for hint in found.hints if hint.is_proved)


@pytest.mark.parametrize("size", range(1, len(SALE)))
def test_no_prefix_of_a_frame_shows_a_secret(size: int) -> None:
    found = explain(unionpay(), SALE[:size], seek_causes=False)
    shown = repr(found)
    for finding in found.findings:
        rows = picture(unionpay(), found, finding, clear=False)
        shown += "".join("".join(row.cells) for row in rows)
    shown = shown.upper()
    for secret in SECRETS:
        # Four digits of it together are none by themselves; six are.
        for at in range(len(secret) - 5):
            if secret[at : at + 6] not in ("500000", "000000", "000001", "000014"):
                assert secret[at : at + 6] not in shown


@pytest.mark.parametrize("vector", GOOD, ids=lambda v: v.name)
def test_what_the_dialect_calls_secret_is_in_no_masked_output(vector: Vector) -> None:
    found = explain(SPEC(vector.words["Dialect"]), vector.data)
    shown = json.dumps(facts_of(found, is_clear=False), ensure_ascii=False) + repr(found)
    for view in found.fields:
        for part in (view, *view.parts):
            if part.secrecy != "open" and len(set(part.clear)) >= 6:
                assert part.clear not in shown


def ran(*words: str) -> int:
    try:
        main(list(words))
    except SystemExit as end:
        return int(end.code or 0)
    return 0


def test_decode_masks_and_clears_test_cards_only(capsys: pytest.CaptureFixture[str]) -> None:
    assert ran("decode", SALE.hex()) == 0
    masked = capsys.readouterr().out
    assert "308350193990080" in masked
    assert not any(secret in masked for secret in SECRETS)
    fields = dict(unionpay().parse(SALE[13:]))
    fields[35] = "9999999999999999D301201"  # nobody's, and on no list of test cards
    other = unionpay().build("0200", fields).hex()
    assert ran("decode", other, "--clear", "--format", "json") == 2
    assert "--i-know" in capsys.readouterr().err
    assert ran("decode", other, "--clear", "--i-know", "--format", "json") == 0
    facts = json.loads(capsys.readouterr().out)
    clear = {fact["field"]: fact["value"] for fact in facts["fields"]}
    assert clear[52] == "6E83D8C871679F76"


def test_decode_clears_a_message_whose_card_is_a_test_card(
    capsys: pytest.CaptureFixture[str],
) -> None:
    chip = next(v for v in ALL if v.path.stem == "public_sale_answer_chip")
    assert ran("decode", chip.data.hex(), "--clear") == 0
    assert "6225000000000014" in capsys.readouterr().out
    assert ran("decode", chip.data.hex()) == 0
    assert "622500******0014" in capsys.readouterr().out


def test_bytes_come_from_hex_a_file_of_hex_or_bytes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    as_hex, as_bytes = tmp_path / "hex", tmp_path / "bytes"
    as_hex.write_text("\n".join(re.findall("..", SALE.hex())))
    as_bytes.write_bytes(SALE)
    for word in (SALE.hex(" "), str(as_hex), str(as_bytes)):
        assert ran("decode", word, "--format", "json") == 0
        assert json.loads(capsys.readouterr().out)["mti"] == "0200"
    assert ran("decode", "no such file") == 2


def test_explain_says_what_is_wrong_and_whether_the_mac_matches(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert ran("explain", SALE.hex(), "--key", MAK) == 0
    assert "matches" in capsys.readouterr().out
    assert ran("explain", SALE.hex(), "--key", "44" * 8, "--format", "json") == 1
    assert json.loads(capsys.readouterr().out)["findings"][0]["status"] == "MAC_MISMATCH"
    assert ran("explain", SALE[:60].hex()) == 1
    out = capsys.readouterr().out
    assert "FIELD_SHORT field 41, byte 59" in out
    assert "^^" in out
    assert ran("explain", SALE.hex(), "--key", "xyz") == 2
    assert "xyz" not in capsys.readouterr().err


def test_a_capture_of_several_frames_is_shown_frame_by_frame(
    capsys: pytest.CaptureFixture[str],
) -> None:
    chip = next(v for v in ALL if v.path.stem == "public_sale_answer_chip").data
    assert ran("decode", (SALE + chip).hex(), "--format", "json") == 0
    lines = capsys.readouterr().out.splitlines()
    assert [json.loads(line)["mti"] for line in lines] == ["0200", "0210"]
    assert ran("decode", (SALE + chip[:50]).hex(), "--format", "json") == 1
    assert len(capsys.readouterr().out.splitlines()) == 2
    assert ran("explain", (SALE + chip).hex()) == 0


def test_spec_lists_shows_checks_and_compiles(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ran("spec", "list", "--format", "json") == 0
    assert len(json.loads(capsys.readouterr().out)) == 6
    assert ran("spec", "show", "unionpay-terminal") == 0
    assert "qr-sale" in capsys.readouterr().out
    assert ran("spec", "settings", "unionpay-terminal", "--format", "json") == 0
    knobs = {knob["path"]: knob["value"] for knob in json.loads(capsys.readouterr().out)}
    assert knobs["mac.output"] == "hex"
    image = tmp_path / "image"
    assert ran("spec", "compile", "unionpay-terminal", "-o", str(image)) == 0
    assert image.read_bytes() == unionpay().image
    mine = tmp_path / "mine.toml"
    mine.write_text('[dialect]\nname = "mine"\nbase = "unionpay-terminal"\n[field.4]\nsise = 1\n')
    assert ran("spec", "check", str(mine)) == 1
    assert "field.4.sise" in capsys.readouterr().err


def test_a_setting_of_every_dialect_points_to_what_is_there() -> None:
    for name in ("unionpay-terminal", "iso8583-1987-ascii", "iso8583-2003-binary"):
        document = SPEC(name).document
        for path, knob in document["settings"].items():
            place = document
            for step in path.split("."):
                if isinstance(place, list):
                    place = next(each for each in place if each["name"] == step)
                else:
                    place = place[step]
            assert not knob.get("allowed") or place in knob["allowed"], path
            Spec.load(name, {path: place})
