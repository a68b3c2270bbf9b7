"""A terminal written from the dialect sheet alone: its own packing, its own DES, no posengine.

It knows the fields that the sheet's matrix names, single DES and 3DES by OpenSSL, and one socket.
What the engine and this file agree on was written twice.

    terminal = Terminal(tid, mid, tmk)
    with Line(host, port) as line:
        answer = terminal.sign_on(line)
        answer = line.exchange(terminal.sale(1_00))
"""

from __future__ import annotations

import socket
import struct
from dataclasses import dataclass, field
from types import TracebackType

from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives.ciphers import Cipher, modes

TPDU = bytes.fromhex("6000030000")
HEADER = bytes.fromhex("603100311312")
PAN = "6225000000000014"

# field -> (form, size): n fixed digits, b fixed bytes, LLn and LLLn digits, LLa and LLLa bytes.
# Field 22 is left aligned, all other odd fixed digits right aligned (sheet 2.1).
FORMS = {
    2: ("LLn", 19), 3: ("n", 6), 4: ("n", 12), 11: ("n", 6), 12: ("n", 6), 13: ("n", 4),
    14: ("n", 4), 15: ("n", 4), 22: ("nl", 3), 23: ("n", 3), 25: ("n", 2), 26: ("n", 2),
    32: ("LLn", 11), 35: ("LLn", 37), 36: ("LLLn", 104), 37: ("b", 12), 38: ("b", 6),
    39: ("b", 2), 41: ("b", 8), 42: ("b", 15), 44: ("LLa", 25), 48: ("LLLn", 322),
    49: ("b", 3), 52: ("b", 8), 53: ("n", 16), 54: ("LLLa", 20), 55: ("LLLa", 255),
    59: ("LLLa", 999), 60: ("LLLn", 19), 61: ("LLLn", 29), 62: ("LLLa", 999),
    63: ("LLLa", 163), 64: ("b", 8),
}  # fmt: skip

Value = str | bytes


def digits_to_bytes(digits: str) -> bytes:
    """Digits as BCD, left aligned; an odd one gets a zero nibble behind. ``=`` is D."""
    text = digits.replace("=", "D")
    return bytes.fromhex(text + "0" * (len(text) % 2))


def pack_field(number: int, value: Value) -> bytes:
    """One field's bytes, its length prefix included."""
    form, size = FORMS[number]
    if form == "n":
        text = str(value)
        assert len(text) == size, f"field {number}: {text!r}"
        return bytes.fromhex("0" * (len(text) % 2) + text)
    if form == "nl":
        return digits_to_bytes(str(value))
    raw = value if isinstance(value, bytes) else value.encode("gb18030")
    if form == "b":
        assert len(raw) == size, f"field {number}: {raw!r}"
        return raw
    width = 2 if form.startswith("LLL") else 1
    if form.endswith("n"):
        return bytes.fromhex(f"{len(str(value)):0{width * 2}d}") + digits_to_bytes(str(value))
    return bytes.fromhex(f"{len(raw):0{width * 2}d}") + raw


def pack(mti: str, fields: dict[int, Value]) -> bytes:
    """A body: MTI, bitmap, fields in order."""
    bitmap = 0
    for number in fields:
        bitmap |= 1 << (64 - number)
    body = b"".join(pack_field(number, fields[number]) for number in sorted(fields))
    return bytes.fromhex(mti) + struct.pack(">Q", bitmap) + body


def unpack(body: bytes) -> dict[int, Value]:
    """The fields of a body; 0 is the MTI. Binary and text fields stay bytes, digits become text."""
    found: dict[int, Value] = {0: body[:2].hex()}
    bitmap = struct.unpack(">Q", body[2:10])[0]
    at = 10
    for number in range(2, 65):
        if not bitmap >> (64 - number) & 1:
            continue
        form, size = FORMS[number]
        if form.startswith("LL"):
            width = 2 if form.startswith("LLL") else 1
            size = int(body[at : at + width].hex())
            at += width
        count = size if form[-1] in "ab" else (size + 1) // 2
        raw = body[at : at + count]
        assert len(raw) == count, f"field {number} is cut off"
        at += count
        if form in {"b", "LLa", "LLLa"}:
            found[number] = raw
        else:
            text = raw.hex()
            found[number] = text[-size:] if form == "n" else text[:size]
    assert at == len(body), "bytes are left after the last field"
    return found


def frame(body: bytes, tpdu: bytes = TPDU) -> bytes:
    """Length, TPDU and header before a body."""
    rest = tpdu + HEADER + body
    return struct.pack(">H", len(rest)) + rest


def des(key: bytes, data: bytes, *, decrypt: bool = False) -> bytes:
    """DES or 3DES of whole blocks, by the key's length."""
    whole = {8: key * 3, 16: key + key[:8], 24: key}[len(key)]
    cipher = Cipher(TripleDES(whole), modes.ECB())
    work = cipher.decryptor() if decrypt else cipher.encryptor()
    return work.update(data) + work.finalize()


def mac(key: bytes, covered: bytes) -> bytes:
    """The UnionPay "ECB" MAC (sheet 5.2): eight hex characters."""
    padded = covered + bytes(-len(covered) % 8)
    folded = bytes(8)
    for at in range(0, len(padded), 8):
        folded = bytes(a ^ b for a, b in zip(folded, padded[at : at + 8], strict=True))
    text = folded.hex().upper().encode()
    first = des(key, text[:8])
    second = des(key, bytes(a ^ b for a, b in zip(first, text[8:], strict=True)))
    return second.hex().upper().encode()[:8]


@dataclass
class Terminal:
    """One terminal: its keys, its batch, its STAN."""

    tid: str
    mid: str
    tmk: bytes
    batch: str = "000001"
    stan: int = 0
    mak: bytes = b""
    pik: bytes = b""
    tpdu: bytes = TPDU
    sent: dict[str, dict[int, Value]] = field(default_factory=dict)

    def next_stan(self) -> str:
        self.stan = self.stan % 999_999 + 1
        return f"{self.stan:06d}"

    def seal(self, mti: str, fields: dict[int, Value]) -> bytes:
        """A frame with its MAC."""
        body = pack(mti, {**fields, 64: bytes(8)})[:-8]
        return frame(body + mac(self.mak, body), self.tpdu)

    def plain(self, mti: str, fields: dict[int, Value]) -> bytes:
        """A frame without a MAC."""
        return frame(pack(mti, fields), self.tpdu)

    def names(self) -> dict[int, Value]:
        return {41: self.tid, 42: self.mid}

    # ---- messages (sheet 3.2) ------------------------------------------------------------------
    def sign_on_frame(self, code: str = "003") -> bytes:
        fields: dict[int, Value] = {
            11: self.next_stan(), **self.names(), 60: "00" + self.batch + code, 63: "01 ",
            62: "Sequence No163050SXX-4C30419",
        }  # fmt: skip
        return self.plain("0800", fields)

    def take_keys(self, answer: dict[int, Value]) -> None:
        """Field 62 of a sign-on answer, 003 or 004: PIK, MAK and their check values."""
        block = answer[62]
        assert isinstance(block, bytes) and len(block) in {40, 60}
        self.pik = des(self.tmk, block[0:16], decrypt=True)
        self.mak = des(self.tmk, block[20:28], decrypt=True)
        assert block[28:36] == bytes(8)
        assert des(self.pik, bytes(8))[:4] == block[16:20], "check value of the PIK"
        assert des(self.mak, bytes(8))[:4] == block[36:40], "check value of the MAK"
        self.batch = str(answer[60])[2:8]

    def sale_fields(self, amount: int, *, pan: str = PAN, stan: str = "") -> dict[int, Value]:
        return {
            2: pan, 3: "000000", 4: f"{amount:012d}", 11: stan or self.next_stan(), 14: "3012",
            22: "012", 25: "00", **self.names(), 49: "156", 60: "22" + self.batch + "00060",
        }  # fmt: skip

    def sale(self, amount: int, *, pan: str = PAN) -> bytes:
        fields = self.sale_fields(amount, pan=pan)
        self.sent[str(fields[11])] = fields
        return self.seal("0200", fields)

    def reversal(self, stan: str, reason: str = "98") -> bytes:
        """Of the sale with ``stan``, whose fields are remembered."""
        original = self.sent[stan]
        kept = {key: original[key] for key in (2, 3, 4, 11, 14, 22, 25, 41, 42, 49, 60)}
        return self.seal("0400", {**kept, 39: reason})

    def void(self, original: dict[int, Value], original_stan: str) -> bytes:
        fields = self.sale_fields(int(str(original[4])))
        fields.update(
            {3: "200000", 37: original[37], 38: original[38],
             60: "23" + self.batch + "00060", 61: self.batch + original_stan}
        )  # fmt: skip
        return self.seal("0200", fields)

    def settle(self, debit: int, debits: int, credit: int = 0, credits: int = 0) -> bytes:
        block = f"{debit:012d}{debits:03d}{credit:012d}{credits:03d}0" + "0" * 31
        fields: dict[int, Value] = {
            11: self.next_stan(), **self.names(), 48: block, 49: "156",
            60: "00" + self.batch + "201", 63: "01 ",
        }  # fmt: skip
        return self.plain("0500", fields)

    def echo(self) -> bytes:
        return self.plain("0820", {**self.names(), 60: "00" + self.batch + "301"})

    # ---- answers ---------------------------------------------------------------------------------
    def open(self, reply: bytes, *, checks_mac: bool = True) -> dict[int, Value]:
        """The fields of a reply frame; its length, TPDU and MAC are checked."""
        size = struct.unpack(">H", reply[:2])[0]
        assert size == len(reply) - 2
        assert reply[2:7] == self.tpdu[:1] + self.tpdu[3:5] + self.tpdu[1:3]
        body = reply[13:]
        fields = unpack(body)
        if 64 in fields and checks_mac:
            assert fields[64] == mac(self.mak, body[:-8]), "the answer's MAC"
        return fields

    def sign_on(self, line: Line, code: str = "003") -> dict[int, Value]:
        answer = self.open(line.exchange(self.sign_on_frame(code)))
        assert answer[39] == b"00", answer
        self.take_keys(answer)
        return answer


class Line:
    """One connection: frames out, frames in."""

    def __init__(self, host: str, port: int, *, timeout_s: float = 10.0) -> None:
        self.socket = socket.create_connection((host, port), timeout=timeout_s)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._received = b""

    def __enter__(self) -> Line:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        self.close()

    def close(self) -> None:
        self.socket.close()

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def take(self) -> bytes:
        """The next whole frame; ``EOFError`` where the peer closed."""
        while True:
            if len(self._received) >= 2:
                size = 2 + struct.unpack(">H", self._received[:2])[0]
                if len(self._received) >= size:
                    whole, self._received = self._received[:size], self._received[size:]
                    return whole
            some = self.socket.recv(65_536)
            if not some:
                raise EOFError
            self._received += some

    def exchange(self, data: bytes) -> bytes:
        self.send(data)
        return self.take()
