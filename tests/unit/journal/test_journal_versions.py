"""Goal: every page version that was ever released stays readable.

Method: kept samples of stored values, put into a volume by the lmdb package, read by this build,
by the oracle and by posload's auditor. A sample is never made anew.
"""

from __future__ import annotations

import json
import re
import struct
from dataclasses import asdict
from pathlib import Path
from typing import Any

import lmdb
import pytest

import posload
from oracle.journal import crc32c, page_of
from posengine.journal import Journal

SAMPLES = sorted((Path(__file__).parents[2] / "vectors" / "journal").glob("page_*.md"))


def sample(path: Path) -> tuple[bytes, dict[str, Any]]:
    text = path.read_text()
    (lines,) = re.findall(r"```hex\n(.*?)```", text, re.S)
    (facts,) = re.findall(r"```json\n(.*?)```", text, re.S)
    said = json.loads(facts)
    value = bytearray(said["size"])
    for line in lines.splitlines():
        offset, data = line.split()
        part = bytes.fromhex(data)
        value[int(offset, 16) : int(offset, 16) + len(part)] = part
    return bytes(value), said


def journal_of(value: bytes, last: int, path: Path) -> None:
    """A journal around one stored value, made by the description of its files alone."""
    path.mkdir()
    size = 1 << 18
    volume = lmdb.open(str(path / "volume-000001.mdb"), subdir=False, map_size=size, max_dbs=0)
    with volume, volume.begin(write=True) as transaction:
        transaction.put(struct.pack(">Q", 1), value, append=True)
    identity = bytes(range(16))
    meta = bytearray(64)
    struct.pack_into("<8sII16sQ", meta, 0, b"POSJRNL\n", 1, 0, identity, size)
    struct.pack_into("<I", meta, 12, crc32c(bytes(meta[:12]) + bytes(meta[16:])))
    (path / "meta").write_bytes(meta)
    mark = struct.pack("<8sII16sQ", b"POSMARK\n", 1, 0, identity, last)
    (path / "published").write_bytes(mark.ljust(4096, b"\0"))


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_a_kept_page_reads_as_it_did(path: Path, tmp_path: Path) -> None:
    value, said = sample(path)
    last = said["first_sequence"] + len(said["entries"]) - 1
    journal_of(value, last, tmp_path / "journal")
    with Journal.open(tmp_path / "journal", readonly=True) as journal:
        (page,) = journal.pages()
        assert page.digest.hex() == said["digest"]
        assert (page.business_date, page.size) == (said["business_date"], said["size"])
        for entry, wanted in zip(page.entries(), said["entries"], strict=True):
            read = {
                name: value.hex() if isinstance(value, bytes) else value
                for name, value in asdict(entry).items()
                if value not in (0, "", b"", bytes(16))
            }
            assert read == wanted
        assert journal.verify().is_clean
    assert page_of(struct.pack(">Q", 1), value).faults == []
    # A writer goes on in it.
    with Journal.open(tmp_path / "journal") as journal:
        journal.stage(tid="T0000002")
        assert journal.commit() == last + 1
        assert journal.verify().is_clean
        *_, after = journal.pages()
        assert after.digest_before.hex() == said["digest"]
    found = posload.audit(tmp_path / "journal")  # and so does the auditor
    assert found.agrees and found.facts["entries"] == last + 1, found.disagreement


def test_there_is_a_sample_of_the_version_that_is_written(tmp_path: Path) -> None:
    assert [path.stem for path in SAMPLES] == ["page_1", "page_2"]
    with Journal.open(tmp_path / "journal") as journal:
        journal.stage(tid="T0000001")
        journal.commit()
    volume = str(tmp_path / "journal" / "volume-000001.mdb")
    with lmdb.open(volume, subdir=False, readonly=True) as made, made.begin() as transaction:
        ((_, stored),) = transaction.cursor()
    assert struct.unpack_from("<I", stored, 48) == (len(SAMPLES),)
