"""Goal: no track, PIN, card verification value or expiry date is left behind: not in journal,
log, export or memory, in any dress, wherever in a message it stood (35, 48, 52, 55, 59, 62, 63).

Method: sales with canary values, good and broken, through a served engine; then every file that
it made, its exports, and everything that a core dump of it would hold, are scanned. The scanner is
shown to find each canary in each dress first, and to find one that was left in an engine's memory.
"""

from __future__ import annotations

import base64
import io
import os
import random
import resource
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from oracle.terminal import Line, Terminal, Value
from paper.canary import dresses, find, find_in_files, memory_of
from paper.server import Server
from paper.shop import MASTER_KEY, Shop
from posengine.errors import PanAbsent
from posengine.journal import Journal, export_csv, export_jsonl


def with_check_digit(digits: str) -> str:
    """A test card's number: the Luhn digit is put behind."""
    values = [int(digit) for digit in reversed(digits)]
    total = sum(values[1::2]) + sum(sum(divmod(2 * value, 10)) for value in values[0::2])
    return digits + str(-total % 10)


# Made here, so that no docstring of the product, which lies in memory too, has the same.
PAN = with_check_digit("622202098765432109")
EXPIRY = "5107"
TRACK_2 = f"{PAN}D{EXPIRY}2201234567891"
PIN_BLOCK = bytes.fromhex("9D4EC1A7F05B3826")
# The card verification value stands in a sentence, as hosts put it into private fields.
CVV = "CVV2=9716,ON THE BACK OF IT"
CHIP_TRACK = bytes.fromhex(f"{PAN}D510722098765432F")
NAME = "CANARY/CARDHOLDER"

SECRETS: dict[str, bytes | str] = {
    "track 2": TRACK_2,
    "track 2 behind the PAN": f"D{EXPIRY}2201234567891",
    "chip track": CHIP_TRACK,
    "PIN block": PIN_BLOCK,
    "card verification value": CVV,
    "cardholder": NAME,
    "PAN": PAN,
    "expiry in 55": bytes.fromhex("5F2403" "510731" "5F3401"),
}


def tlv(tag: str, value: bytes) -> bytes:
    return bytes.fromhex(tag) + bytes([len(value)]) + value


CHIP = b"".join(
    (
        tlv("9F26", bytes(range(1, 9))), tlv("9F27", b"\x80"), tlv("9F10", bytes(7)),
        tlv("9F37", b"\x01\x02\x03\x04"), tlv("9F36", b"\x00\x21"), tlv("95", bytes(5)),
        tlv("9A", bytes.fromhex("261121")), tlv("9C", b"\x00"),
        tlv("57", CHIP_TRACK), tlv("5A", bytes.fromhex(f"{PAN}F")),
        tlv("5F20", NAME.encode()), tlv("5F24", bytes.fromhex("510731")),
        tlv("5F34", b"\x01"),
    )
)  # fmt: skip


def messages(terminal: Terminal) -> Iterator[bytes]:
    """Every place that a secret can stand in, in messages that are approved and that are not."""
    swiped: dict[int, Value] = {
        3: "000000", 4: "000000000100", 22: "021", 25: "00", 26: "12", 35: TRACK_2,
        **terminal.names(), 49: "156", 52: PIN_BLOCK, 53: "2600000000000000",
        60: "22" + terminal.batch + "00060",
    }  # fmt: skip
    chip: dict[int, Value] = {
        2: PAN, 3: "000000", 4: "000000000200", 14: EXPIRY, 22: "051", 23: "001", 25: "00",
        26: "12", 35: TRACK_2, **terminal.names(), 49: "156", 52: PIN_BLOCK, 53: "2600000000000000",
        55: CHIP, 60: "22" + terminal.batch + "00060",
    }  # fmt: skip
    for fields in (swiped, chip, {**chip, 59: f"A2{len(CVV):03d}{CVV}"}):
        whole = {**fields, 11: terminal.next_stan()}
        good = terminal.seal("0200", whole)
        yield good
        yield good  # a repeat: filled from itself
        yield good[:-1] + b"!"  # a wrong MAC
        yield terminal.seal("0200", {**whole, 11: terminal.next_stan(), 49: "999"})
        yield terminal.seal("0200", {key: whole[key] for key in whole if key != 4})
        yield terminal.seal("0200", {**whole, 11: terminal.next_stan(), 63: CVV})
    detail = f"01{0:02d}{7:06d}{PAN:0>20}{100:012d}"
    batch: dict[int, Value] = {
        11: terminal.next_stan(), **terminal.names(), 48: detail,
        60: "00" + terminal.batch + "201",
    }  # fmt: skip
    yield terminal.plain("0320", batch)
    slip: dict[int, Value] = {
        **{key: chip[key] for key in (2, 4)}, 11: terminal.next_stan(), 15: "1121",
        37: "000000000002", **terminal.names(), 55: CHIP, 60: "07" + terminal.batch + "800",
        62: CVV,
    }  # fmt: skip
    yield terminal.seal("0820", slip)


def exchange_all(server: Server, terminal: Terminal) -> list[bytes]:
    """Sends every message; a line that is closed is opened again. The codes that came back."""
    codes = []
    line = server.line()
    for message in messages(terminal):
        try:
            codes.append(bytes(terminal.open(line.exchange(message), checks_mac=False)[39]))  # type: ignore[arg-type]
        except (EOFError, ConnectionResetError):
            codes.append(b"closed")
            line.close()
            line = server.line()
        except KeyError:
            codes.append(b"--")
    # Many in one wave: what stands at the places behind the first is not written over by the next.
    # Twenty leave less of the stack to be wiped than two hundred, so they come last.
    for count in (200, 20):
        wave = [next(messages(terminal)) for _ in range(count)]
        line.send(b"".join(wave))
        for _ in wave:
            codes.append(bytes(terminal.open(line.take(), checks_mac=False)[39]))  # type: ignore[arg-type]
    line.close()
    return codes


@pytest.fixture(params=[False, True], ids=["", "keep_pan"])
def shop(tmp_path: Path, request: pytest.FixtureRequest) -> Shop:
    """With account numbers kept, which is enciphered, nothing more is to be found than without."""
    shop = Shop(tmp_path)
    shop.write(bad_macs_max=100, journal={"keep_pan": request.param})
    return shop


def test_the_scanner_finds_every_canary_in_every_dress() -> None:
    noise = random.Random(1).randbytes(4_096)
    assert find(noise, SECRETS) == []
    for name, value in SECRETS.items():
        for dress, form in dresses(value).items():
            found = find(noise + form + noise, SECRETS)
            assert f"{name}: {dress}" in found
        raw = value if isinstance(value, bytes) else value.encode()
        for shift in range(3):
            # Whatever stands before it, base64 shows it.
            text = base64.b64encode(b"x" * shift + raw + b"yy")
            assert any("base64" in finding for finding in find(text, {name: value})), (name, shift)


def _pan_of(journal: Journal, sequence: int) -> str:
    try:
        return journal.pan(sequence, MASTER_KEY)
    except PanAbsent:
        return ""


def test_nothing_secret_is_left_in_journal_log_exports_or_memory(shop: Shop) -> None:
    with Server(shop) as server:
        terminal = shop.terminal()
        with server.line() as line:
            terminal.sign_on(line)
        codes = exchange_all(server, terminal)
        assert codes.count(b"00") >= 6, (codes, server.log())
        assert {b"A0", b"30"} <= set(codes), codes
        # A message without secrets: what is used again is no excuse for what is not.
        with server.line() as line:
            line.exchange(terminal.echo())
        assert server.process is not None
        found = {
            finding for part in memory_of(server.process.pid) for finding in find(part, SECRETS)
        }
        assert found == set()
        assert server.drain() == 0
    files = [path for path in shop.home.rglob("*") if path.is_file()]
    assert any(path.name == "log" for path in files)
    assert find_in_files(files, SECRETS) == []


def test_exports_and_heaps_hold_no_secret_and_no_expiry(shop: Shop) -> None:
    with Server(shop) as server:
        terminal = shop.terminal()
        with server.line() as line:
            terminal.sign_on(line)
        exchange_all(server, terminal)
        assert server.drain() == 0
    with Journal.open(shop.home / "journal", readonly=True) as journal:
        entries = list(journal.entries())
        is_kept = {"pan_cipher" in page.columns for page in journal.pages()}
        if is_kept == {True}:
            kept = {entry.sequence for entry in entries if _pan_of(journal, entry.sequence) == PAN}
            # Six of cards approved or declined, by field 2 and by track 2; none of a repeat.
            assert len(kept) >= 6
        else:
            assert is_kept == {False}
        for write in (export_csv, export_jsonl):
            out = io.StringIO()
            write(iter(entries), out, journal_id=journal.id)
            assert find(out.getvalue().encode(), {**SECRETS, "expiry": f"{PAN}{EXPIRY}"}) == []
        for entry in entries:
            for heap in (bytes(entry.request), bytes(entry.answer)):
                # Four digits are too few to look for in a file; a heap is small enough.
                assert bytes.fromhex(EXPIRY) not in heap, entry
                assert EXPIRY.encode() not in heap, entry


def test_the_scanner_finds_a_canary_that_is_in_memory() -> None:
    kept = bytearray(b"D51072201234567891".ljust(64))
    kept[:0] = PAN.encode()
    found = {finding for part in memory_of(os.getpid()) for finding in find(part, SECRETS)}
    assert "track 2: raw" in found
    del kept


def test_a_line_that_holds_half_a_message_is_wiped_when_it_ends(shop: Shop) -> None:
    with Server(shop) as server:
        terminal = shop.terminal()
        with server.line() as line:
            terminal.sign_on(line)
        whole = next(messages(terminal))
        with Line("127.0.0.1", server.port) as line:
            line.send(whole[:-20])
        with server.line() as line:
            line.exchange(terminal.echo())
        assert server.process is not None
        found = {
            finding for part in memory_of(server.process.pid) for finding in find(part, SECRETS)
        }
        assert found == set()


def test_a_core_dump_holds_no_secret(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    pattern = Path("/proc/sys/kernel/core_pattern").read_text().strip()
    most = resource.getrlimit(resource.RLIMIT_CORE)[1]
    if "/" in pattern or pattern.startswith("|") or most == 0:
        pytest.skip("this machine writes no core dump into the process's own directory")
    settings = shop.home / "posengine.toml"
    settings.write_text(settings.read_text().replace("[engine]\n", "[engine]\ncore_dumps = true\n"))
    monkeypatch.chdir(shop.home)
    before = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (most, most))
    try:
        with Server(shop) as server:
            terminal = shop.terminal()
            with server.line() as line:
                terminal.sign_on(line)
            exchange_all(server, terminal)
            with server.line() as line:
                line.exchange(terminal.echo())
            assert server.process is not None
            os.kill(server.process.pid, signal.SIGABRT)
            assert server.process.wait() == -signal.SIGABRT
    finally:
        resource.setrlimit(resource.RLIMIT_CORE, before)
    (core,) = shop.home.glob("core*")
    assert core.stat().st_size > 1 << 20
    # The terminal's name is no secret: that it is found shows that the dump was written and read.
    assert find(core.read_bytes(), {"terminal": terminal.tid}) != []
    assert find_in_files([core], SECRETS) == []
    core.unlink()
