"""A journal's pages as one file, for the auditor: what LMDB holds, copied as it is.

    python -m posload.dump JOURNAL PAGES

It runs in a process of its own: an LMDB environment that is open twice in one process loses its
locks. Nothing is judged here; that is the auditor's. The file: ``POSDUMP1``, the journal's id, its
durable sequence, then volume, key, size and value of every page that begins at or before that.
"""

from __future__ import annotations

import struct
import sys
from pathlib import Path

import lmdb


def dump(journal: Path, target: Path) -> int:
    """Copies every durable page; how many there were.

    Raises:
        ValueError: the directory is no journal.
    """
    meta = (journal / "meta").read_bytes()
    published = (journal / "published").read_bytes()
    if meta[:8] != b"POSJRNL\n" or published[:8] != b"POSMARK\n":
        raise ValueError(f"{journal} is no journal")
    (volume_size,) = struct.unpack_from("<Q", meta, 32)
    (durable,) = struct.unpack_from("<Q", published, 32)
    pages = 0
    with target.open("wb") as out:
        out.write(b"POSDUMP1" + meta[16:32] + struct.pack("<Q", durable))
        for volume in sorted(journal.glob("volume-*.mdb")):
            number = int(volume.stem.rsplit("-", 1)[1])
            environment = lmdb.open(
                str(volume), subdir=False, readonly=True, map_size=volume_size, max_dbs=0
            )
            with environment, environment.begin(buffers=True) as transaction:
                for key, value in transaction.cursor():
                    if int.from_bytes(key, "big") > durable:
                        break
                    out.write(struct.pack("<I", number) + bytes(key))
                    out.write(struct.pack("<Q", len(value)))
                    out.write(value)
                    pages += 1
    return pages


def main() -> None:
    """JOURNAL PAGES"""
    if len(sys.argv) != 3:
        print("usage: python -m posload.dump JOURNAL PAGES", file=sys.stderr)
        sys.exit(2)
    try:
        print(f"{dump(Path(sys.argv[1]), Path(sys.argv[2]))} pages")
    except (OSError, ValueError, lmdb.Error) as error:
        print(f"posload: {error}", file=sys.stderr)
        sys.exit(3)


if __name__ == "__main__":
    main()
