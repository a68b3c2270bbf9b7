"""
Goal: a dialect compiles, its messages are read, shown and written as the dialect says, and every
refusal names the place.
Method: the regression frames of the dialect, built by hand or captured, byte for byte; masks looked
for in what is shown; each refusal provoked once.
"""

from __future__ import annotations

import struct
from dataclasses import fields

import numpy as np
import pytest

from posengine.codec import Columns, Message, Mti, Spec, SpecError, dialect_names
from posengine.codec.compile import crc32c
from posengine.errors import (
    ArgumentFault,
    FieldContent,
    FieldForbidden,
    FieldLength,
    FieldMissing,
    FieldMti,
    FieldPart,
    FieldRule,
    FieldShort,
    FieldTrailing,
    FieldUnknown,
    FieldValue,
    FrameOversize,
    FrameTpdu,
    ImageForm,
    ParseError,
)

SIGN_ON_ANSWER = bytes.fromhex(
    "007960000005106031000000000810003800010AC00014000133091942042808000958403039313934323135303036"
    "373030353834303230303133303234343033383036323131303000110000000700300040CDF4F5FDFC4FB62E3533A1"
    "6D1555B7DD342571BFA0F1F1B1213B2DE2000000000000000081D7E011"
)
SALE = bytes.fromhex(
    "007460000300006031003100000200302004C020C0981100000000000001234500005902100012376225000000000014"
    "D30185810F40FF741B498030393130313531353330383335303139333939303038303135366E83D8C871679F76261000"
    "00000000000013220000010005003231443636374130"
)
SALE_ANSWER = bytes.fromhex(
    "00A360000005106031000000000210703E02810AD08213166225000000000014000000000000000001000134091947"
    "04281512042700010008000958403039313934373134353036303030353834303230303133303234343033383036323131"
    "3030223930333130303030202020303330323538343020202031353600179F3602031E910A42FE066E2918B08830300013"
    "2200000700050000034355503531443837343145"
)


@pytest.fixture(scope="module")
def spec() -> Spec:
    return Spec.load("unionpay-terminal")


def body_of(spec: Spec, data: bytes) -> bytes:
    frame, consumed = spec.unframe(data)
    assert frame is not None
    assert consumed == len(data)
    return frame.body


# ---- messages ---------------------------------------------------------------------------
def test_a_sale_is_read_field_by_field(spec: Spec) -> None:
    message = spec.parse(body_of(spec, SALE))
    assert str(message.mti) == "0200"
    assert dict(message) == {
        3: "000000", 4: "000000012345", 11: "000059", 22: "021", 25: "00", 26: "12",
        35: "6225000000000014D30185810F40FF741B498", 41: "09101515", 42: "308350193990080",
        49: "156", 52: bytes.fromhex("6E83D8C871679F76"), 53: "2610000000000000",
        60: "2200000100050", 64: b"21D667A0",
    }
    assert message.amount == 12345
    assert (message.stan, message.tid, message.mid) == ("000059", "09101515", "308350193990080")
    assert message.rrn is None
    assert dict(message.parts(60)) == {
        "type": "22", "batch": "000001", "network": "000", "reader": "5", "chip_condition": "0",
    }
    assert message.place(4) == (13, 6, 12)


@pytest.mark.parametrize("data", [SIGN_ON_ANSWER, SALE, SALE_ANSWER])
def test_building_what_was_read_gives_the_same_bytes(spec: Spec, data: bytes) -> None:
    body = body_of(spec, data)
    message = spec.parse(body)
    assert spec.build(message.mti, message) == body


def test_a_message_shows_no_secret(spec: Spec) -> None:
    for data in (SALE, SALE_ANSWER, SIGN_ON_ANSWER):
        message = spec.parse(body_of(spec, data))
        for shown in (str(message), repr(message)):
            assert "6225000000000014" not in shown
            assert "6E83D8C871679F76" not in shown
            assert "CDF4F5FDFC4FB62E" not in shown
            assert "14=1512" not in shown
    assert "2=622500******0014" in str(spec.parse(body_of(spec, SALE_ANSWER)))


def test_a_message_is_an_immutable_mapping(spec: Spec) -> None:
    message = spec.parse(body_of(spec, SALE))
    with pytest.raises(TypeError):
        message[4] = "000000000001"  # type: ignore[index]
    assert 4 in message
    assert 5 not in message
    assert {**message}[4] == "000000012345"
    assert message == spec.parse(body_of(spec, SALE))
    with pytest.raises(KeyError):
        message.parts(5)


def test_secrets_inside_of_extended_data_are_masked_too(spec: Spec) -> None:
    voucher = b"A3019" + b"6212345678901234567" + b"A4020" + b"V" * 20 + b"Z9003abc"
    message = spec.parse(spec.build("0200", {59: voucher}))
    assert message.parts(59)["A3"] == "6212345678901234567"
    assert "6212345678901234567" not in str(message)
    assert "Z9=***" in str(message)
    assert "A4=" + "V" * 20 in str(message)
    torn = spec.parse(spec.build("0200", {59: b"A30196212345678901234567A4"}))
    assert dict(torn.parts(59)) == {}
    assert "59=***" in str(torn)


def test_chinese_text_is_gb18030_and_comes_back_as_it_was(spec: Spec) -> None:
    body = spec.build("0210", {63: "CUP" + "银行"})
    assert "银行".encode("gb18030") in body
    assert spec.parse(body)[63] == "CUP银行"
    raw = b"CUP\x80\xa1"  # no text at all, and yet it comes back
    body = spec.build("0210", {63: raw})
    assert spec.build("0210", dict(spec.parse(body))) == body


# ---- faults -----------------------------------------------------------------------------
def fault_of(spec: Spec, body: bytes) -> ParseError:
    with pytest.raises(ParseError) as caught:
        spec.parse(body)
    return caught.value


def test_a_fault_names_field_rule_place_and_bytes(spec: Spec) -> None:
    body = body_of(spec, SALE)
    fault = fault_of(spec, body[:16])
    assert isinstance(fault, FieldShort)
    assert (fault.field, fault.offset, fault.wanted, fault.left) == (4, 13, 6, 3)
    assert fault.rule == "n12 bcd"
    assert "field 4" in str(fault)


@pytest.mark.parametrize(
    ("change", "kind", "field"),
    [
        ((0, b"\x1a"), FieldMti, 0),
        ((2, b"\x80"), ParseError, 0),
        ((2, b"\x08"), FieldUnknown, 5),
        ((13, b"\xa0"), FieldContent, 4),
        ((26, b"\x38"), FieldLength, 35),
    ],
)
def test_every_kind_of_fault_is_told_apart(
    spec: Spec, change: tuple[int, bytes], kind: type[ParseError], field: int
) -> None:
    body = bytearray(body_of(spec, SALE))
    at, byte = change
    body[at : at + 1] = byte
    fault = fault_of(spec, bytes(body))
    assert isinstance(fault, kind)
    assert fault.field == field


def test_bytes_after_the_last_field_are_a_fault_that_keeps_the_fields(spec: Spec) -> None:
    message, fault = spec.parse_partly(body_of(spec, SALE) + b"\0")
    assert isinstance(fault, FieldTrailing)
    assert message.stan == "000059"
    assert 64 in message


def test_a_faulty_message_keeps_the_fields_before_its_fault(spec: Spec) -> None:
    body = bytearray(body_of(spec, SALE))
    body[-13] = 0x2A  # within 60.type
    message, fault = spec.parse_partly(bytes(body))
    assert isinstance(fault, FieldContent)
    assert fault.field == 60
    assert list(message) == [3, 4, 11, 22, 25, 26, 35, 41, 42, 49, 52, 53]


def test_a_strict_layout_judges_its_parts(spec: Spec) -> None:
    with pytest.raises(FieldValue) as caught:
        spec.build("0200", {60: "2200"})
    assert caught.value.field == 60  # type: ignore[attr-defined]
    body = bytearray(spec.build("0200", {60: "22000001000"}))
    body[-8:] = b"\x00\x07\x22\x00\x00\x00"
    fault = fault_of(spec, bytes(body))
    assert isinstance(fault, FieldPart)
    assert (fault.field, fault.part) == (60, 2)


# ---- building ---------------------------------------------------------------------------
def test_numbers_and_short_text_are_filled(spec: Spec) -> None:
    message = spec.parse(spec.build("0200", {4: 5, 11: "7", 41: "AB"}))
    assert message[4] == "000000000005"
    assert message[11] == "000007"
    assert message[41] == "AB      "


@pytest.mark.parametrize(
    ("fields", "kind"),
    [
        ({5: "1"}, FieldUnknown),
        ({4: "1234567890123"}, FieldLength),
        ({4: "12x"}, FieldValue),
        ({52: "6E83D8C871679F76"}, FieldValue),
        ({52: b"short"}, FieldLength),
        ({41: "终端"}, FieldValue),
        ({2: 6225000000000014}, FieldValue),
        ({4: -1}, FieldValue),
        ({4: 1.5}, FieldValue),
    ],
)
def test_what_cannot_be_written_is_refused_by_name(
    spec: Spec, fields: dict[int, str | bytes | int], kind: type[Exception]
) -> None:
    with pytest.raises(kind) as caught:
        spec.build("0200", fields)
    assert f"field {next(iter(fields))}" in str(caught.value)
    assert "6225000000000014" not in str(caught.value)


@pytest.mark.parametrize("mti", ["1200", "02", "02a0", "０２００"])
def test_a_message_type_that_is_none_is_refused(spec: Spec, mti: str) -> None:
    with pytest.raises(FieldMti):
        spec.build(mti, {11: "000001"})


def test_a_track_takes_both_separators(spec: Spec) -> None:
    with_d = spec.build("0200", {35: "6225000000000014D3012"})
    assert spec.build("0200", {35: "6225000000000014=3012"}) == with_d
    assert spec.parse(with_d)[35] == "6225000000000014D3012"


# ---- frames -----------------------------------------------------------------------------
def test_a_frame_comes_apart_and_together(spec: Spec) -> None:
    frame, consumed = spec.unframe(SALE + b"more")
    assert frame is not None
    assert consumed == len(SALE)
    assert frame.tpdu == bytes.fromhex("6000030000")
    assert spec.frame(frame.body, tpdu=frame.tpdu, header=frame.header) == SALE
    assert spec.frame(frame.body)[2:7] == bytes.fromhex("6000030000")


def test_a_reply_goes_back_with_its_requirement(spec: Spec) -> None:
    frame, _ = spec.unframe(SALE)
    assert frame is not None
    reply = spec.reply(frame, b"x" * 10, requirement=3)
    assert reply[2:7] == bytes.fromhex("6000000003")
    assert reply[7:13] == bytes.fromhex("603103310000")


def test_part_of_a_frame_needs_more_and_a_wrong_one_is_refused(spec: Spec) -> None:
    for size in range(len(SALE)):
        assert spec.unframe(SALE[:size]) == (None, 0)
    with pytest.raises(FrameOversize):
        spec.unframe(b"\x08\x01")
    with pytest.raises(FrameTpdu):
        spec.unframe(SALE[:2] + b"\x61" + SALE[3:])
    with pytest.raises(FrameOversize):
        spec.frame(b"x" * 2040)


# ---- rules and MAC ----------------------------------------------------------------------
def test_a_message_has_a_kind_and_its_answer_too(spec: Spec) -> None:
    sale = spec.kind(spec.parse(body_of(spec, SALE)))
    assert (sale.kind, sale.is_answer, sale.answer) == ("SALE", False, "0210")
    answer = spec.kind(spec.parse(body_of(spec, SALE_ANSWER)))
    assert (answer.kind, answer.is_answer) == ("SALE", True)
    with pytest.raises(FieldRule):
        spec.kind(spec.parse(spec.build("0700", {11: "000001"})))


def test_the_presence_of_fields_is_checked_by_kind(spec: Spec) -> None:
    sale = dict(spec.parse(body_of(spec, SALE)))
    spec.check(spec.parse(spec.build("0200", sale)))
    for field in (11, 41, 64):
        lacking = {number: value for number, value in sale.items() if number != field}
        with pytest.raises(FieldMissing) as missing:
            spec.check(spec.parse(spec.build("0200", lacking)))
        assert missing.value.field == field
    with pytest.raises(FieldForbidden) as surplus:
        spec.check(spec.parse(spec.build("0200", {**sale, 39: "00"})))
    assert surplus.value.field == 39


def test_the_mac_covers_all_that_comes_before_it(spec: Spec) -> None:
    body = body_of(spec, SALE_ANSWER)
    cover = spec.mac_cover(body)
    assert cover.covered == body[:-8]
    assert cover.mac == b"51D8741E"
    assert (cover.algorithm, cover.output) == ("unionpay-ecb", "hex")
    unsigned = spec.build("0800", {11: "000001"})
    assert spec.mac_cover(unsigned).mac is None
    assert spec.mac_cover(unsigned).covered == unsigned


# ---- many -------------------------------------------------------------------------------
def test_columns_hold_every_message_and_mark_the_bad_ones(spec: Spec) -> None:
    sale = body_of(spec, SALE)
    torn = sale[:40]
    answer = body_of(spec, SALE_ANSWER)
    buffer = sale + torn + answer
    offsets = [0, len(sale), len(sale) + len(torn), len(buffer)]
    columns = spec.parse_many(buffer, offsets, places=True)
    assert len(columns) == 3
    assert columns.good.tolist() == [True, False, True]
    assert columns.status_names().tolist() == ["OK", "FIELD_SHORT", "OK"]
    assert columns.fault_field[1] == 35
    assert columns.mti.tolist() == [0x0200, 0x0200, 0x0210]
    assert columns.stan.tolist() == [59, 59, 134]
    assert columns.amount_minor.tolist() == [12345, 12345, 1]
    assert columns.tid.tolist() == [b"09101515", b"        ", b"58402001"]
    assert columns.has(64).tolist() == [True, False, True]
    place = spec.parse(answer).place(41)
    at, size = int(columns.field_offset[2, 41]), int(columns.field_size[2, 41])
    assert (at, size) == (place.offset, place.size)
    assert len(spec.parse_many(b"", np.zeros(1, dtype=np.uint64))) == 0
    without = spec.parse_many(buffer, offsets)
    assert without.field_offset.shape == without.field_size.shape == (3, 0)
    for fact in fields(Columns):
        if fact.name not in ("field_offset", "field_size"):
            assert (getattr(without, fact.name) == getattr(columns, fact.name)).all(), fact.name


def test_columns_that_somebody_holds_are_not_written_again(spec: Spec) -> None:
    def read(amount: int) -> Columns:
        bodies = [spec.build("0200", {4: amount, 11: 1, 41: f"{amount:08}"})] * 100
        return spec.parse_many(b"".join(bodies), np.cumsum([0, *map(len, bodies)], dtype=np.uint64))

    first = read(1)
    amounts, names = first.amount_minor, first.tid[50:]
    del first  # two arrays of it are left
    second, third = read(2), read(3)
    assert amounts.tolist() == [1] * 100
    assert names.tolist() == [b"00000001"] * 50
    assert second.amount_minor.tolist() == [2] * 100
    assert third.tid.tolist() == [b"00000003"] * 100


@pytest.mark.parametrize("offsets", [[0, 5, 3], [0, 11], [4, 2]])
def test_offsets_outside_of_the_buffer_are_refused(spec: Spec, offsets: list[int]) -> None:
    with pytest.raises(ArgumentFault):
        spec.parse_many(b"x" * 10, offsets)


# ---- dialects ---------------------------------------------------------------------------
@pytest.mark.parametrize("name", dialect_names())
def test_every_shipped_dialect_loads_and_builds_the_same_image_again(name: str) -> None:
    first, second = Spec.load(name), Spec.load(name)
    assert first.image == second.image
    assert first.digest == second.digest
    assert first.name == name
    assert first.title and first.title_zh


def test_a_setting_alters_the_dialect_and_only_where_it_is_documented() -> None:
    plain = Spec.load("unionpay-terminal")
    spec = Spec.load("unionpay-terminal", settings={"mac.output": "raw"})
    assert spec.digest != plain.digest
    assert spec.mac_cover(spec.build("0800", {11: 1})).output == "raw"
    for settings in ({"mac.size": 8}, {"mac.output": "base64"}):
        with pytest.raises(SpecError) as caught:
            Spec.load("unionpay-terminal", settings=settings)
        assert next(iter(settings)) in caught.value.path


@pytest.mark.parametrize("name", dialect_names())
def test_every_allowed_value_of_every_setting_makes_a_dialect(name: str) -> None:
    plain = Spec.load(name)
    for path, knob in plain.document["settings"].items():
        made = [Spec.load(name, settings={path: value}) for value in knob.get("allowed", [])]
        assert not made or len({spec.digest for spec in made}) > 1, path


@pytest.mark.parametrize(
    "values",
    [
        {"keys.block.003.mak_check": [28, 4]},
        {
            "keys.block.003.size": 33, "keys.block.003.pik": [1, 16],
            "keys.block.003.pik_check": [17, 2], "keys.block.003.mak": [19, 8],
            "keys.block.003.mak_check": [27, 2],
        },
        {
            "frame.header": "opaque", "frame.header_size": 20,
            "frame.header_default": "00" * 20,
        },
        {"kind.qr-sale.entry": ["04"]},
        {"kind.sale.processing": ["190000"]},
    ],
)
def test_what_acquirers_differ_in_is_a_setting(values: dict[str, object]) -> None:
    assert Spec.load("unionpay-terminal", settings=values).digest != Spec.load(
        "unionpay-terminal"
    ).digest


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("[message]\nversoin = 1", "message.versoin"),
        ("[field.4]\nsize = 'twelve'", "field.4.size"),
        ("[field.4]\nlength = 'LL'", "field.4.size"),
        ("[field.99]\nname='x'\ncontent='n'\nlength='fixed'\nsize=1", "field.99"),
        ("[field.2]\nkeep = true", "field.2.keep"),
        ("[field.2]\nsize_max = 100", "field.2.size_max"),
        ("[field.41]\nencoding = 'bcd'", "field.41.encoding"),
        ("[field.60]\nlayout = 'nowhere'", "field.60.layout"),
        ("[roles]\nbatch = '60.bath'", "roles.batch"),
        ("[roles]\nnetwork = '63.operator'", "roles.network"),
        ("[[kind]]\nkind='SAIL'\nname='x'\nmti='0200'", "kind.x.kind"),
        ("[[kind]]\nkind='SALE'\nname='x'\nmti='0200'\nmandatory=[5]", "kind.x.mandatory"),
        ("[[kind]]\nkind='SALE'\nname='x'\nmti='0200'\ntype=['2z']", "kind.x.type"),
        ("[keys.block.003]\npik=[30, 16]", "keys.block.003.pik"),
        ("[frame]\nheader_default = '60'", "frame.header_default"),
        ("[layout.f60]\nform = 'sideways'", "layout.f60.form"),
    ],
)
def test_a_wrong_dialect_is_refused_with_its_key(
    tmp_path: object, text: str, path: str
) -> None:
    file = tmp_path / "mine.toml"  # type: ignore[operator]
    file.write_text(f'[dialect]\nname="mine"\nbase="unionpay-terminal"\n{text}\n')
    with pytest.raises(SpecError) as caught:
        Spec.load(file)
    assert caught.value.path.startswith(path)
    assert "mine.toml" in str(caught.value)


def test_a_dialect_that_is_nowhere_or_no_toml_is_refused(tmp_path: object) -> None:
    with pytest.raises(SpecError, match="shipped: iso8583-1987-ascii"):
        Spec.load("unionpay")
    file = tmp_path / "broken.toml"  # type: ignore[operator]
    file.write_text("[dialect\n")
    with pytest.raises(SpecError, match=r"broken\.toml"):
        Spec.load(file)
    file.write_text('[dialect]\nname="x"\nbase="loop"\n')
    loop = tmp_path / "loop.toml"  # type: ignore[operator]
    loop.write_text('[dialect]\nname="loop"\nbase="broken"\n')
    with pytest.raises(SpecError, match="round"):
        Spec.load(file)


# ---- images -----------------------------------------------------------------------------
def test_a_damaged_image_is_refused(spec: Spec) -> None:
    from posengine._native.codec import Core

    for at in range(0, len(spec.image), 97):
        image = bytearray(spec.image)
        image[at] ^= 0x40
        with pytest.raises(ImageForm):
            Core(bytes(image))
    for size in (0, 10, 255, len(spec.image) - 1):
        with pytest.raises(ImageForm):
            Core(spec.image[:size])


def test_the_image_carries_its_sum(spec: Spec) -> None:
    head, rest = spec.image[:16], spec.image[20:]
    assert struct.unpack_from("<I", spec.image, 16)[0] == crc32c(head + b"\0\0\0\0" + rest)
    assert crc32c(b"123456789") == 0xE3069283


def test_message_types_know_their_digits() -> None:
    assert Mti.of(0x0430) == "0430"
    assert Mti("0430").number == 0x0430
    assert (Mti("1210").version, Mti("1210").is_answer, Mti("0200").is_answer) == (1, True, False)


def test_a_message_is_hashed_by_its_bytes(spec: Spec) -> None:
    body = body_of(spec, SALE)
    messages: set[Message] = {spec.parse(body), spec.parse(body)}
    assert len(messages) == 1
