"""Bad messages, made from good ones by named changes: the words of tests/vectors/bad/*.md.

    sale; after sale; 4 = 000000000999; mac flipped
    ─┬──  ─┬────────  ─┬──────────────  ─┬─────────
     │     │           │                 └ bytes: what is done to the finished message
     │     │           └ fields: a value, or `no 4`
     │     └ a history: what the terminal did before
     └ a good message of this kind

It builds with the slow codec of ``oracle.host`` and finds places with that of ``oracle.codec``, so
that a message the product would refuse to build can still be sent.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from oracle.codec import Codec
from oracle.host import HEADER, TPDU, Keys, SlowDialect, build, ecb_mac, parse

Send = Callable[[bytes], "bytes | None"]
SIGNED = ("0100", "0200", "0220", "0400", "0620")
PAN = "6225000000000014"
CHIP = bytes.fromhex("9F2608AABBCCDDEEFF00119F2701809F3602000195050000000000")


@dataclass(frozen=True)
class Row:
    """One line of a table."""

    title: str
    made_by: str
    answer: str
    log: str


def rows_of(path: Path) -> list[Row]:
    """The rows of the table in a file."""
    rows = []
    for line in path.read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("|") and len(cells) == 4 and cells[0] not in ("bad message", "---"):
            rows.append(Row(*cells))
    return rows


@dataclass
class Bench:
    """A terminal by hand: signs on, makes good messages, remembers what was answered."""

    tid: str
    mid: str
    tmk: bytes
    send: Send
    tpdu: bytes = TPDU
    stan: int = 0
    batch: str = "000001"
    keys: Keys | None = None
    last: dict[str, dict[int, str | bytes]] = field(default_factory=dict)  # request fields by kind
    answers: dict[str, dict[int, str | bytes]] = field(default_factory=dict)
    dialect: SlowDialect = field(default_factory=SlowDialect)

    # ---- good messages --------------------------------------------------------------------------
    def good(self, kind: str) -> tuple[str, dict[int, str | bytes]]:
        """MTI and fields of a good message of this kind."""
        self.stan += 1
        place: dict[int, str | bytes] = {41: self.tid, 42: self.mid}
        number = {11: f"{self.stan:06d}"}
        if kind == "sign-on":
            return "0800", {**place, **number, 60: f"00{self.batch}003", 63: "001"}
        if kind == "sign-off":
            return "0820", {**place, **number, 60: f"00{self.batch}002"}
        if kind == "echo":
            self.stan -= 1
            return "0820", {**place, 60: f"00{self.batch}301"}
        if kind == "settle":
            totals = "0" * 62
            return "0500", {
                **place, **number, 48: totals, 49: "156", 60: f"00{self.batch}201", 63: "001"
            }  # fmt: skip
        if kind == "upload":
            record = f"01{'00'}{1:06d}{PAN:0>20}{1000:012d}"
            return "0320", {**place, **number, 48: record, 60: f"00{self.batch}201"}
        return self._money(kind, {**place, **number})

    def _money(
        self, kind: str, fields: dict[int, str | bytes]
    ) -> tuple[str, dict[int, str | bytes]]:
        mti, processing, condition, type_ = {
            "sale": ("0200", "000000", "00", "22"),
            "chip": ("0200", "000000", "00", "22"),
            "contactless": ("0200", "000000", "00", "22"),
            "void": ("0200", "200000", "00", "23"),
            "refund": ("0220", "200000", "00", "25"),
            "preauth": ("0100", "030000", "06", "10"),
            "completion": ("0200", "000000", "06", "20"),
            "offline": ("0220", "000000", "00", "30"),
            "reversal": ("0400", "000000", "00", "22"),
        }[kind]
        fields |= {
            2: PAN, 3: processing, 4: "000000001000", 14: "4912", 22: "012", 25: condition,
            49: "156", 60: f"{type_}{self.batch}00050",
        }  # fmt: skip
        if kind in ("chip", "contactless"):
            fields |= {22: "052" if kind == "chip" else "072", 23: "001", 55: CHIP}
        if kind == "offline":
            fields |= {38: "123456"}
        if kind == "refund":
            fields |= {4: "000000000400", 63: "000"}
        if kind == "reversal":
            self.stan -= 1
            fields |= {39: "98", 11: self.last.get("sale", fields)[11]}
        original = {"void": "sale", "refund": "sale", "completion": "preauth"}.get(kind)
        if original:
            self._refer(kind, original, fields)
        return mti, fields

    def _refer(self, kind: str, original: str, fields: dict[int, str | bytes]) -> None:
        asked = self.last.get(original) or self.last.get("preauth") or {}
        told = self.answers.get(original) or self.answers.get("preauth") or {}
        stan, day = str(asked.get(11, "000000")), str(told.get(13, "0000"))
        fields[37] = told.get(37, "0" * 12)
        fields[61] = self.batch + stan + ("" if kind == "void" else day)
        if kind == "completion":
            fields[38] = told.get(38, "123456")

    # ---- history --------------------------------------------------------------------------------
    def do(self, kind: str) -> dict[int, str | bytes]:
        """Sends a good message and takes its answer. Raises: AssertionError where it is refused."""
        mti, fields = self.good(kind)
        answer = self.send(self.framed(self.signed(build(mti, self._with_mac(mti, fields)))))
        assert answer is not None, f"a good {kind} was not answered"
        told = parse(answer[13:])
        assert told.get(39, "00") == "00", f"a good {kind} was answered {told.get(39)}"
        self.last[kind], self.answers[kind] = fields, dict(told)
        if kind == "sign-on":
            self.keys = self.dialect.open_keys(self.tmk, bytes(told[62]))  # type: ignore[arg-type]
            self.batch = str(told[60])[2:8]
        return dict(told)

    @staticmethod
    def _with_mac(mti: str, fields: dict[int, str | bytes]) -> dict[int, str | bytes]:
        return {**fields, 64: bytes(8)} if mti in SIGNED else fields

    def signed(self, body: bytes, keys: Keys | None = None) -> bytes:
        """The body with its MAC, where bit 64 is set."""
        keys = keys or self.keys
        if not body[9] & 1 or keys is None:
            return body
        return body[:-8] + ecb_mac(keys.mak, body[:-8])

    def framed(self, body: bytes, *, tpdu: bytes | None = None, header: bytes = HEADER) -> bytes:
        rest = (self.tpdu if tpdu is None else tpdu) + header + body
        return len(rest).to_bytes(2, "big") + rest


def made(row: Row, bench: Bench, other: Bench, codec: Codec) -> bytes:
    """The bad frame of a row; what it must have done before is done by ``bench``."""
    words = [word.strip() for word in row.made_by.split(";")]
    kind, changes = words[0], words[1:]
    if "never signed on" in changes:
        bench.keys = Keys(bytes(16), bytes.fromhex("0123456789ABCDEF"), b"")
    elif kind != "sign-on" or any(word.startswith("after ") for word in changes):
        bench.do("sign-on")
    for word in changes:
        if word.startswith("after "):
            _live(bench, word.removeprefix("after "))
    mti, fields = bench.good(kind)
    body_changes, is_signed_first = [], "signed" in changes
    for word in changes:
        if found := re.fullmatch(r"(\d+) = (.*)", word):
            fields[int(found[1])] = _value(int(found[1]), found[2], bench)
        elif found := re.fullmatch(r"no (\d+)", word):
            del fields[int(found[1])]
        else:
            body_changes.append(word)
    body = build(mti, bench._with_mac(mti, fields))
    if is_signed_first:
        body = bench.signed(body)
    for word in body_changes:
        body = _patched(body, word, codec)
    if not is_signed_first:
        body = bench.signed(body)
    for word in body_changes:
        body = _unsealed(body, word, bench, other)
    return _frame(body, body_changes, bench)


def _live(bench: Bench, history: str) -> None:
    if history == "its reversal":
        _, fields = bench.good("sale")
        bench.last["sale"] = fields
        bench.send(bench.framed(bench.signed(build(*_reversal(bench)))))
        bench.stan -= 1
        return
    if found := re.fullmatch(r"(\d+) sales", history):
        for _ in range(int(found[1])):
            bench.do("sale")
        return
    for kind in history.split(", "):
        bench.do(kind)


def _reversal(bench: Bench) -> tuple[str, dict[int, str | bytes]]:
    mti, fields = bench.good("reversal")
    return mti, {**fields, 64: bytes(8)}


def _value(number: int, text: str, bench: Bench) -> str | bytes:
    if text == "its":
        return bench.last["sale"][number]
    if text.startswith("card "):
        head = text.removeprefix("card ") + "000000001"
        total = sum(
            sum(divmod(int(digit) * 2, 10)) if index % 2 == 0 else int(digit)
            for index, digit in enumerate(reversed(head))
        )
        return head + str(-total % 10)
    text = re.sub(r"(.)\*(\d+)", lambda found: found[1] * int(found[2]), text)
    return bytes.fromhex(text) if number == 55 else text


def _patched(body: bytes, word: str, codec: Codec) -> bytes:
    """Changes of bytes before the MAC is made."""
    if found := re.fullmatch(r"bit (\d+)", word):
        bitmap = int.from_bytes(body[2:10], "big") | 1 << (64 - int(found[1]))
        return body[:2] + bitmap.to_bytes(8, "big") + body[10:]
    if found := re.fullmatch(r"bytes (\d+) = (\w+)", word):
        at, data = int(found[1]), bytes.fromhex(found[2])
        return body[:at] + data + body[at + len(data) :]
    if found := re.fullmatch(r"(digits|prefix) of (\d+) = (\w+)", word):
        offset, _, _ = codec.parse(body).places[int(found[2])]
        digits = found[3]
        if found[1] == "prefix":
            offset -= len(digits) // 2
        was = body[offset : offset + (len(digits) + 1) // 2].hex()
        data = bytes.fromhex(digits + was[len(digits) :])
        return body[:offset] + data + body[offset + len(data) :]
    return body


def _unsealed(body: bytes, word: str, bench: Bench, other: Bench) -> bytes:
    """Changes of the MAC, and of the end, after it was made."""
    assert bench.keys is not None or not word.startswith("mac")
    if word == "mac flipped":
        return body[:-1] + (b"1" if body[-1:] == b"0" else b"0")
    if word == "mac lower":
        # One that is all digits would be right in either case: any letter makes it wrong.
        lower = body[-8:].lower()
        return body[:-8] + (lower if lower != body[-8:] else b"abcdefab")
    if word == "mac raw":
        return body[:-8] + bytes.fromhex(body[-8:].decode()) + bytes(4)
    if word == "mac of other":
        other.do("sign-on")
        return bench.signed(body, other.keys)
    if word == "no mac":
        return body[:9] + bytes([body[9] & 0xFE]) + body[10:-8]
    if found := re.fullmatch(r"mac = (\w+)", word):
        return body[:-8] + bytes.fromhex(found[1])
    if found := re.fullmatch(r"end \+ (\w+)", word):
        return body + bytes.fromhex(found[1])
    if found := re.fullmatch(r"end - (\d+)", word):
        return body[: -int(found[1])]
    return body


def _frame(body: bytes, words: list[str], bench: Bench) -> bytes:
    tpdu, header = bench.tpdu, HEADER
    for word in words:
        if found := re.fullmatch(r"tpdu = (\w+)", word):
            tpdu = bytes.fromhex(found[1])
        elif found := re.fullmatch(r"header = (\w+)", word):
            header = bytes.fromhex(found[1])
        elif word == "no tpdu":
            tpdu = b""
    frame = bench.framed(body, tpdu=tpdu, header=header)
    for word in words:
        if found := re.fullmatch(r"length = (\w{4})", word):
            frame = bytes.fromhex(found[1]) + frame[2:]
        elif found := re.fullmatch(r"length - (\d+)", word):
            size = int.from_bytes(frame[:2], "big") - int(found[1])
            frame = size.to_bytes(2, "big") + frame[2:]
    return frame
