"""PostgreSQL takes batches of 300-byte records by binary COPY: "run" prints records a second.

    postgres_store.py SOCKET_FOLDER BATCH

A batch is one transaction, synchronous_commit on. The bytes of a batch are made before the clock
starts, so that the client costs as little as it can.
"""

import struct
import sys
import time

import psycopg

BATCHES = 64
RECORD = bytes(300)
HEADER = b"PGCOPY\n\xff\r\n\x00" + struct.pack(">ii", 0, 0)


def copied(first: int, count: int) -> bytes:
    """Rows (sequence, record) in PostgreSQL's binary COPY form."""
    rows = (
        struct.pack(">hiqi", 2, 8, first + at, len(RECORD)) + RECORD for at in range(count)
    )
    return HEADER + b"".join(rows) + struct.pack(">h", -1)


def main() -> None:
    folder, batch = sys.argv[1], int(sys.argv[2])
    with psycopg.connect(host=folder, dbname="postgres", user="bench", autocommit=True) as base:
        base.execute("CREATE TABLE entry (sequence bigint PRIMARY KEY, record bytea NOT NULL)")
        first = 1
        for _ in sys.stdin:
            pages = [copied(first + page * batch, batch) for page in range(BATCHES)]
            first += BATCHES * batch
            began = time.perf_counter()
            for data in pages:
                with base.cursor().copy(
                    "COPY entry (sequence, record) FROM STDIN (FORMAT BINARY)"
                ) as copy:
                    copy.write(data)
            print(BATCHES * batch / (time.perf_counter() - began))
            print(".", flush=True)


if __name__ == "__main__":
    main()
