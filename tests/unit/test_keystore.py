"""Goal: the key store is what its description says, and holds the keys that terminals were given.

Method: terminals that know the dialect sheet alone sign on to an engine in this process; a reader
that knows the description alone, with OpenSSL's ciphers, opens the file that is left.
"""

from __future__ import annotations

from pathlib import Path

from oracle import keystore, macs
from oracle.terminal import Terminal
from paper.shop import MASTER_KEY, MID, Shop
from posengine.engine.engine import Engine


def signed_on(engine: Engine, terminal: Terminal) -> Terminal:
    opened = terminal.open(answer(engine, terminal.sign_on_frame()))
    assert opened[39] == b"00"
    terminal.take_keys(opened)
    return terminal


def answer(engine: Engine, data: bytes) -> bytes:
    engine.submit(1, [data])
    (reply,) = engine.commit()
    return reply.frame


def sell(engine: Engine, terminal: Terminal) -> None:
    assert terminal.open(answer(engine, terminal.sale(100)))[39] == b"00"


def stored(shop: Shop) -> dict[tuple[str, str], keystore.Record]:
    return keystore.read(shop.home / "journal.keys", MASTER_KEY)


def test_the_file_holds_the_keys_that_the_terminals_got(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    with shop.engine() as engine:
        terminals = [signed_on(engine, shop.terminal(index)) for index in range(3)]
    found = stored(shop)
    assert {name: set(record.keys) for name, record in found.items()} == {
        (terminal.tid, MID): {"PIK", "MAK"} for terminal in terminals
    }
    data = (shop.home / "journal.keys").read_bytes()
    for terminal in terminals:
        record = found[terminal.tid, MID]
        assert (record.keys["PIK"], record.keys["MAK"]) == (terminal.pik, terminal.mak)
        assert record.generation == 1
        for name, key in record.keys.items():
            assert record.kcvs[name] == macs.check_value("des", key)
            assert key[:8] not in data


def test_the_old_mak_is_stored_until_the_new_one_was_used(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    with shop.engine() as engine:
        terminal = signed_on(engine, shop.terminal())
        sell(engine, terminal)
        first = terminal.mak
        for _ in range(3):  # the answers are lost on the way
            assert terminal.open(answer(engine, terminal.sign_on_frame()))[39] == b"00"
    record = stored(shop)[terminal.tid, MID]
    assert record.keys["MAK_OLD"] == first
    assert record.keys["MAK"] != first
    assert (record.generation, record.slot) == (4, 1)

    with shop.engine() as engine:
        sell(engine, terminal)  # by its old key, over a restart
        signed_on(engine, terminal)
        assert stored(shop)[terminal.tid, MID].keys["MAK_OLD"] == first
        sell(engine, terminal)
        signed_on(engine, shop.terminal(1))  # its commit takes the retirement along
    record = stored(shop)[terminal.tid, MID]
    assert record.keys["MAK"] == terminal.mak
    assert "MAK_OLD" not in record.keys


def test_a_torn_newest_slot_leaves_the_keys_before_it(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    with shop.engine() as engine:
        terminal = signed_on(engine, shop.terminal())
        sell(engine, terminal)
        first = terminal.mak
        signed_on(engine, terminal)
    path = shop.home / "journal.keys"
    data = bytearray(path.read_bytes())
    newest = stored(shop)[terminal.tid, MID]
    start = keystore.RECORD * (1 + newest.slot)
    data[start + 200 : start + keystore.RECORD] = bytes(keystore.RECORD - 200)
    path.write_bytes(data)
    assert stored(shop)[terminal.tid, MID].keys["MAK"] == first
    terminal.mak = first
    with shop.engine() as engine:
        sell(engine, terminal)
