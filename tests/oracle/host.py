"""A second, slow host for UnionPay terminals, written from the dialect sheet alone.

It shares no code with the product: its own codec (a table and two loops), MACs and key blocks on
OpenSSL, and a ledger of plain dictionaries. It is what terminals are tested against before any
engine, and what an engine's answers can be compared with. ``defect`` makes it wrong on purpose:

    wrong mac       answers carry a wrong MAC now and then
    wrong amount    an approval echoes another amount
    lost posting    an approved sale is not in the totals
    double posting  a repeat is posted again
    deaf reversal   a reversal is answered 00 and undoes nothing
    forgetful       a repeat is decided anew, with another reference number
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives.ciphers import Cipher, modes

from posengine.errors import KeyCheck, ParseError

# ---- codec: number -> (content, prefix digits or fixed size) ------------------------------------
# content n: digits, BCD; z: track, BCD; t: text; b: bytes. A negative size is a fixed one.
FIELDS: dict[int, tuple[str, int]] = {
    2: ("n", 2), 3: ("n", -6), 4: ("n", -12), 11: ("n", -6), 12: ("n", -6), 13: ("n", -4),
    14: ("n", -4), 15: ("n", -4), 22: ("left", -3), 23: ("right", -3), 25: ("n", -2),
    26: ("n", -2), 32: ("n", 2), 35: ("n", 2), 36: ("n", 3), 37: ("t", -12), 38: ("t", -6),
    39: ("t", -2), 41: ("t", -8), 42: ("t", -15), 44: ("t", 2), 48: ("n", 3), 49: ("t", -3),
    52: ("b", -8), 53: ("n", -16), 54: ("t", 3), 55: ("b", 3), 59: ("t", 3), 60: ("n", 3),
    61: ("n", 3), 62: ("b", 3), 63: ("t", 3), 64: ("b", -8),
}  # fmt: skip
TPDU, HEADER = bytes.fromhex("6000030000"), bytes.fromhex("603100310000")


class Message(dict[int, "str | bytes"]):
    mti: str


def build(mti: str, fields: Mapping[int, str | bytes]) -> bytes:
    bitmap, parts = 0, []
    for number in sorted(fields):
        content, size = FIELDS[number]
        value = fields[number]
        bitmap |= 1 << (64 - number)
        if isinstance(value, str) and content in ("t", "b"):
            value = value.encode("gb18030")
        if size > 0:
            count = f"{len(value):0{size + size % 2}d}"
            parts.append(bytes.fromhex(count))
        elif len(value) != -size:
            raise ValueError(f"field {number} takes {-size}, got {len(value)}")
        if isinstance(value, str):
            if len(value) % 2:
                value = "0" + value if content == "right" else value + "0"
            value = bytes.fromhex(value)
        parts.append(value)
    return bytes.fromhex(mti) + bitmap.to_bytes(8, "big") + b"".join(parts)


def parse(body: bytes) -> Message:
    message, offset = Message(), 10
    message.mti = body[:2].hex()
    for number in range(2, 65):
        if not int.from_bytes(body[2:10], "big") >> (64 - number) & 1:
            continue
        if number not in FIELDS:
            raise ParseError("a field that the dialect does not define", field=number)
        content, size = FIELDS[number]
        count = -size
        if size > 0:
            width = (size + 1) // 2
            count = int(body[offset : offset + width].hex())
            offset += width
        taken = (count + 1) // 2 if content in ("n", "left", "right") else count
        value = body[offset : offset + taken]
        if len(value) < taken:
            raise ParseError("the field needs more bytes", field=number, offset=offset)
        offset += taken
        if content == "b":
            message[number] = value
        elif content == "t":
            message[number] = value.decode("gb18030")
        else:
            digits = value.hex().upper()
            message[number] = digits[-count:] if content == "right" else digits[:count]
    if offset != len(body):
        raise ParseError("bytes are left after the last field", offset=offset)
    return message


# ---- keys ---------------------------------------------------------------------------------------
def des(key: bytes, block: bytes, *, decrypt: bool = False) -> bytes:
    """DES or 3DES by the key's size, ECB."""
    cipher = Cipher(TripleDES({8: key * 3, 16: key + key[:8]}[len(key)]), modes.ECB())
    step = cipher.decryptor() if decrypt else cipher.encryptor()
    return step.update(block) + step.finalize()


def ecb_mac(key: bytes, covered: bytes) -> bytes:
    """Section 5.2 of the sheet."""
    folded = 0
    for start in range(0, len(covered), 8):
        folded ^= int.from_bytes(covered[start : start + 8].ljust(8, b"\0"), "big")
    digits = f"{folded:016X}".encode()
    first = int.from_bytes(des(key, digits[:8]), "big") ^ int.from_bytes(digits[8:], "big")
    return des(key, first.to_bytes(8, "big")).hex().upper()[:8].encode()


def wrap(tmk: bytes, key: bytes) -> bytes:
    return des(tmk, key) + des(key, bytes(8))[:4]


@dataclass
class Keys:
    pik: bytes
    mak: bytes
    tdk: bytes


def key_block(tmk: bytes, keys: Keys) -> bytes:
    """60.3 = 001: 24 bytes; 003: 40; 004: 60 (section 4)."""
    if len(keys.pik) == 8:
        return wrap(tmk, keys.pik) + wrap(tmk, keys.mak)
    wrapped = des(tmk, keys.mak) + bytes(8) + des(keys.mak, bytes(8))[:4]
    return wrap(tmk, keys.pik) + wrapped + (wrap(tmk, keys.tdk) if keys.tdk else b"")


class SlowDialect:
    """The simulator's seam, on the codec above."""

    def build(self, mti: str, fields: Mapping[int, str | bytes]) -> bytes:
        return build(mti, fields)

    def parse(self, body: bytes) -> Message:
        return parse(body)

    def frame(self, body: bytes) -> bytes:
        return (len(body) + 11).to_bytes(2, "big") + TPDU + HEADER + body

    def unframe(self, frame: bytes) -> tuple[int, bytes]:
        return frame[9] & 15, frame[13:]

    def mac(self, key: bytes, covered: bytes) -> bytes:
        return ecb_mac(key, covered)

    def open_keys(self, tmk: bytes, block: bytes) -> Keys:
        size = {24: 8, 40: 16, 60: 16}[len(block)]
        pik = des(tmk, block[:size], decrypt=True)
        mak = des(tmk, block[size + 4 : size + 12], decrypt=True)
        tdk = des(tmk, block[40:56], decrypt=True) if len(block) == 60 else b""
        if key_block(tmk, Keys(pik, mak, tdk)) != block:
            raise KeyCheck("a check value differs")
        return Keys(pik, mak, tdk)

    def pin_block(self, pik: bytes, pin: str, pan: str) -> bytes:
        clear = int(f"0{len(pin)}{pin}".ljust(16, "F"), 16) ^ int(pan[-13:-1], 16)
        return des(pik, clear.to_bytes(8, "big"))

    def conceal_track(self, tdk: bytes, track: str) -> str:
        packed = bytes.fromhex(track + "0" * (len(track) % 2))
        hidden = packed[:-9] + des(tdk, packed[-9:-1]) + packed[-1:]
        return hidden.hex().upper()[: len(track)]


# ---- the host -----------------------------------------------------------------------------------
@dataclass
class Posting:
    kind: str  # 60.1 and field 3
    sign: int
    amount: int
    is_foreign: bool
    rrn: str
    auth: str
    is_undone: bool = False
    is_reversed: bool = False
    refunded: int = 0
    original: Posting | None = None


@dataclass
class Client:
    """What the host knows of one terminal."""

    mid: str
    tmk: bytes
    keys: Keys | None = None
    batch: int = 1
    is_closed: bool = False
    postings: dict[tuple[str, str], Posting] = field(default_factory=dict)  # (batch, STAN)
    answers: dict[tuple[str, ...], tuple[bytes, bytes]] = field(default_factory=dict)
    seen: set[tuple[str, str]] = field(default_factory=set)
    reversed_unseen: set[tuple[str, str]] = field(default_factory=set)


SIGNS = {
    ("22", "000000"): 1, ("23", "200000"): -1, ("25", "200000"): -1, ("20", "000000"): 1,
    ("21", "200000"): -1, ("24", "000000"): 1, ("30", "000000"): 1, ("32", "000000"): 1,
    ("34", "000000"): 1, ("36", "000000"): 1,
}  # fmt: skip
ECHOED = (2, 3, 4, 11, 14, 23, 25, 41, 42, 49, 60)
PREAUTH, COMPLETIONS = "10", ("20", "24")


class Host:
    """Answers frames. ``terminals``: TID -> (MID, TMK)."""

    def __init__(self, terminals: Mapping[str, tuple[str, bytes]], *, defect: str = "") -> None:
        self.clients = {tid: Client(mid, tmk) for tid, (mid, tmk) in terminals.items()}
        self.defect = defect
        self.requirement = 0  # sent once with the next financial answer
        self.count = 0
        self.uploads: list[tuple[str, str, str]] = []  # (TID, network, field 48)

    def answer(self, frame: bytes) -> bytes:
        """The whole answer to one whole frame."""
        body = frame[13:]
        request = parse(body)
        reply = self._answer(request, body)
        requirement = 0
        if request.mti in ("0100", "0200"):
            requirement, self.requirement = self.requirement, 0
        header = HEADER[:2] + bytes([HEADER[2] & 0xF0 | requirement]) + HEADER[3:]
        tpdu = frame[2:3] + frame[5:7] + frame[3:5]
        return (len(reply) + 11).to_bytes(2, "big") + tpdu + header + reply

    def _answer(self, request: Message, body: bytes) -> bytes:
        client = self.clients.get(str(request[41]))
        if client is None:
            return self._plain(request, "97")
        if client.mid != request[42]:
            return self._plain(request, "03")
        if request.mti == "0800" and str(request[60])[8:] in ("001", "003", "004"):
            return self._sign_on(client, request)
        if request.mti in ("0800", "0820"):
            return self._plain(request, "00")
        if request.mti == "0500":
            return self._settle(client, request)
        if request.mti == "0320":
            self.uploads.append((str(request[41]), str(request[60])[8:11], str(request.get(48))))
            return self._plain(request, "00")
        if client.keys is None or ecb_mac(client.keys.mak, body[:-8]) != body[-8:]:
            return self._plain(request, "A0")
        return self._once(client, request, body)

    def _once(self, client: Client, request: Message, body: bytes) -> bytes:
        """A repeat gets the stored answer; the same key with another request gets 94."""
        key = (request.mti[:3], str(request[60])[2:8], str(request[11]))
        stored = client.answers.get(key)
        if stored is not None and self.defect not in ("double posting", "forgetful"):
            asked, answer = stored
            if asked != body[:-8]:
                return self._sign(client, self._answer_of(request, "94"))
            return self._sign(client, answer)  # anew: the key may have rolled
        self.count += 1
        answer = self._answer_of(request, self._decide(client, request))
        client.answers[key] = (body[:-8], answer)
        return self._sign(client, answer)

    def _decide(self, client: Client, request: Message) -> str:
        place = (str(request[60])[2:8], str(request[11]))
        if request.mti == "0400":
            return self._reverse(client, place, int(str(request[4])))
        if place in client.reversed_unseen:
            return "12"
        if int(place[0]) != client.batch or client.is_closed:
            return "77"
        client.seen.add(place)
        kind = str(request[60])[:2]
        amount = int(str(request.get(4, "0")))
        original: Posting | None = None
        if 61 in request and kind in ("23", "25", "11", "20", "21", "24"):
            reference = str(request[61])
            original = client.postings.get((reference[:6], reference[6:12]))
            code = self._judge_original(kind, amount, original)
            if code != "00":
                return code
        sign = SIGNS.get((kind, str(request[3])), 0)
        if self.defect == "lost posting" and kind == "22" and self.count % 7 == 0:
            return "00"
        account = str(request.get(2) or request.get(35) or "62")
        posting = Posting(
            kind, sign, amount, not account.startswith("62"), f"{self.count:012d}", "A1B2C3"
        )
        posting.original = original
        if self.defect == "double posting" and place in client.postings:
            place = (place[0], f"{place[1]}again")
        client.postings[place] = posting
        if original is not None and kind == "25":
            original.refunded += amount
        elif original is not None:
            original.is_undone = True
        return "00"

    @staticmethod
    def _judge_original(kind: str, amount: int, original: Posting | None) -> str:
        if original is None or original.is_reversed:
            return "25"
        wanted = {"23": ("22",), "25": ("22",), "21": ("20",)}.get(kind, (PREAUTH,))
        if original.kind not in wanted:
            return "22"
        if original.is_undone or (kind == "23" and original.refunded):
            return "12"
        if kind in ("23", "11", "21"):
            return "00" if amount == original.amount else "64"
        return "00" if amount + original.refunded <= original.amount else "64"

    def _reverse(self, client: Client, place: tuple[str, str], amount: int) -> str:
        if place not in client.seen:
            client.reversed_unseen.add(place)
            return "25"
        posting = client.postings.get(place)
        if posting is None or self.defect == "deaf reversal":
            return "00"
        if posting.amount != amount:
            return "64"
        if not posting.is_reversed:
            posting.is_reversed = True
            if posting.original is not None:
                posting.original.is_undone = False
        return "00"

    def _sign_on(self, client: Client, request: Message) -> bytes:
        network = str(request[60])[8:]
        self.count += 1
        seed = ecb_mac(client.tmk[:8], f"{self.count:016d}".encode()) * 2
        pik = seed if network != "001" else seed[:8]
        client.keys = Keys(pik, seed[::-1][:8], seed[:8] + pik[:8] if network == "004" else b"")
        if client.is_closed:
            client.batch, client.is_closed = client.batch + 1, False
        fields = self._head(request, "00")
        fields[60] = f"00{client.batch:06d}{network}"
        fields[62] = key_block(client.tmk, client.keys)
        return build("0810", fields)

    def _settle(self, client: Client, request: Message) -> bytes:
        halves = ""
        for index, is_foreign in enumerate((False, True)):
            ours = [
                posting
                for (batch, _), posting in client.postings.items()
                if int(batch) == client.batch
                and not posting.is_reversed
                and posting.is_foreign == is_foreign
            ]
            digits = ""
            for sign in (1, -1):
                amounts = [posting.amount for posting in ours if posting.sign == sign]
                digits += f"{sum(amounts):012d}{len(amounts):03d}"
            asked = str(request[48])[31 * index : 31 * index + 30]
            halves += digits + ("1" if asked == digits else "2")
        client.is_closed = True
        fields = self._head(request, "00")
        del fields[39]
        return build("0510", {**fields, 48: halves, 49: request[49], 63: request[63]})

    def _head(self, request: Message, code: str) -> dict[int, str | bytes]:
        fields = {number: request[number] for number in (11, 41, 42, 60) if number in request}
        more = {12: "101500", 13: "1121", 32: "01031000", 37: f"{self.count:012d}", 39: code}
        return {**fields, **more}

    def _plain(self, request: Message, code: str) -> bytes:
        fields = self._head(request, code)
        for number in (3, 4):
            if number in request:
                fields[number] = request[number]
        return build(request.mti[:2] + str(int(request.mti[2]) + 1) + request.mti[3], fields)

    def _answer_of(self, request: Message, code: str) -> bytes:
        """The answer up to its MAC."""
        fields = {number: request[number] for number in ECHOED if number in request}
        fields.update(self._head(request, code))
        fields.update({15: "1121", 44: "01031000   01031000   "})
        if request.mti in ("0100", "0200", "0220"):
            fields[63] = "CUP"
        if code == "00" and request.mti in ("0100", "0200"):
            fields[38] = "A1B2C3"
        if 59 in request:
            fields[59] = f"A4020{self.count:020d}"
        if self.defect == "wrong amount" and self.count % 11 == 0 and 4 in fields:
            fields[4] = f"{int(str(fields[4])) + 1:012d}"
        mti = request.mti[:2] + str(int(request.mti[2]) + 1) + request.mti[3]
        return build(mti, {**fields, 64: bytes(8)})[:-8]

    def _sign(self, client: Client, covered: bytes) -> bytes:
        assert client.keys is not None
        mac = ecb_mac(client.keys.mak, covered)
        if self.defect == "wrong mac" and self.count % 13 == 0:
            mac = mac[::-1] if mac != mac[::-1] else b"00000000"
        return covered + mac
