"""Goal: the MACs and key blocks of the vectors recompute on OpenSSL.

Method: the oracle computes each vector of tests/vectors/mac; posengine is held to the same ones in
test_vectors.py.
"""

from __future__ import annotations

import pytest

from oracle import macs
from oracle.codec import Codec
from oracle.vectors import Vector, vectors

ALL = vectors("mac")


@pytest.mark.parametrize("vector", [v for v in ALL if "Algorithm" in v.words], ids=lambda v: v.name)
def test_the_oracle_computes_the_mac(vector: Vector) -> None:
    raw = macs.mac(vector.words["Algorithm"], bytes.fromhex(vector.words["Key"]), vector.data)
    if "Raw" in vector.words:
        assert raw.hex().upper() == vector.words["Raw"]
    if "Field" in vector.words:
        assert macs.field(raw, "hex").decode() == vector.words["Field"]


@pytest.mark.parametrize("vector", [v for v in ALL if "PIK" in v.words], ids=lambda v: v.name)
def test_the_keys_come_out_of_the_block_and_their_check_values_are_right(vector: Vector) -> None:
    layout = Codec("unionpay-terminal").spec["keys"]["block"][vector.words["Network"]]
    assert layout["size"] == len(vector.data)
    tmk = bytes.fromhex(vector.words["TMK"])
    for name in ("pik", "mak", "tdk"):
        if name.upper() not in vector.words:
            continue
        offset, size = layout[name]
        key = macs.decrypt("des", tmk, vector.data[offset : offset + size])
        assert key.hex().upper() == vector.words[name.upper()]
        at, count = layout[f"{name}_check"]
        assert vector.data[at : at + count] == macs.check_value("des", key)


@pytest.mark.parametrize("vector", [v for v in ALL if "Status" in v.words], ids=lambda v: v.name)
def test_a_block_of_another_size_has_no_layout(vector: Vector) -> None:
    layout = Codec("unionpay-terminal").spec["keys"]["block"][vector.words["Network"]]
    assert layout["size"] != len(vector.data)
