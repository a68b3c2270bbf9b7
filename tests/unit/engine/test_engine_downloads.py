"""Goal: a terminal fetches every record of a list, once, in as many messages as it takes.

Method: the terminal of tests/oracle asks an engine in this process as the sheet says; what it
collects is compared with the files.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from oracle.terminal import Terminal, Value
from paper.shop import Shop
from posengine.engine import Engine, compile_downloads

KEYS = [
    bytes.fromhex(f"9F0605A0000003339F2201{index:02X}DF0508") + b"20301231"
    + bytes.fromhex("DF028190") + bytes([index]) * 0x90 + bytes.fromhex("DF040103")
    for index in range(1, 81)
]  # fmt: skip
HEADS = [key[:23] for key in KEYS]
CARDS = [f"{622200 + index}" for index in range(400)]


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


def image(home: Path) -> bytes:
    files = home / "downloads"
    files.mkdir()
    (files / "360.txt").write_text("1260\n22示例商户\n", "utf-8")
    (files / "370.hex").write_text("\n".join(key.hex() for key in KEYS), "utf-8")
    (files / "390.txt").write_text("\n".join(CARDS), "utf-8")
    return compile_downloads(files)


def ask(
    engine: Engine, terminal: Terminal, mti: str, code: str, asked: bytes | None
) -> tuple[dict[int, Value], bytes]:
    fields: dict[int, Value] = {**terminal.names(), 60: "00" + terminal.batch + code}
    if mti == "0800":
        fields[11] = terminal.next_stan()
    if asked is not None:
        fields[62] = asked
    engine.submit(1, [terminal.plain(mti, fields)])
    (reply,) = engine.commit()
    opened = terminal.open(reply.frame)
    assert opened[39] == b"00", opened
    value = opened.get(62, b"")
    assert isinstance(value, bytes)
    return opened, value


def test_parameters_come_whole_in_gb18030(shop: Shop) -> None:
    with shop.engine(downloads=image(shop.home)) as engine:
        _, value = ask(engine, shop.terminal(), "0800", "360", None)
        assert value == b"1260" + "22示例商户".encode("gb18030")


def test_the_heads_of_all_keys_come_in_several_messages_and_end(shop: Shop) -> None:
    with shop.engine(downloads=image(shop.home)) as engine:
        terminal = shop.terminal()
        got = b""
        controls = []
        while not controls or controls[-1] == b"2":
            count = len(got) // len(HEADS[0])
            _, value = ask(engine, terminal, "0820", "372", b"1%02d" % count)
            controls.append(value[:1])
            got += value[1:]
        assert got == b"".join(HEADS)
        assert controls[-1] == b"3" and len(controls) > 1
        _, value = ask(engine, terminal, "0820", "372", b"180")
        assert value == b"0"


def test_one_key_comes_by_its_name_or_not_at_all(shop: Shop) -> None:
    with shop.engine(downloads=image(shop.home)) as engine:
        terminal = shop.terminal()
        _, value = ask(engine, terminal, "0800", "370", KEYS[6][:12])
        assert value == b"1" + KEYS[6]
        _, value = ask(engine, terminal, "0800", "370", bytes.fromhex("9F0605A0000009999F220101"))
        assert value == b"0"


def test_a_card_list_comes_record_by_record_from_where_the_terminal_is(shop: Shop) -> None:
    with shop.engine(downloads=image(shop.home)) as engine:
        terminal = shop.terminal()
        got = b""
        control = b"2"
        while control == b"2":
            _, value = ask(engine, terminal, "0800", "390", b"%03d" % (len(got) // 6))
            control, got = value[:1], got + value[1:]
        assert got.decode() == "".join(CARDS)
        assert control == b"3"


def test_where_nothing_is_offered_the_answer_says_so(shop: Shop) -> None:
    with shop.engine() as engine:
        _, value = ask(engine, shop.terminal(), "0820", "372", b"100")
        assert value == b"0"


def test_a_damaged_image_stops_the_start(shop: Shop) -> None:
    broken = bytearray(image(shop.home))
    broken[20] ^= 1
    with pytest.raises(Exception, match="image is damaged"):
        shop.engine(downloads=bytes(broken))


def test_a_reload_may_withdraw_what_was_offered(shop: Shop) -> None:
    with shop.engine(downloads=image(shop.home)) as engine:
        terminal = shop.terminal()
        assert ask(engine, terminal, "0800", "390", b"000")[1] != b"0"
        engine.reload(downloads=compile_downloads(None))
        assert ask(engine, terminal, "0800", "390", b"000")[1] == b"0"
