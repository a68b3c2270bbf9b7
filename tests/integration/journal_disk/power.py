"""Power cuts, from what shim.c recorded: which bytes may be on the disk at any moment.

A disk keeps what was synced. Of what was written since, it may keep any sectors of 512 bytes and
lose the others, in any order; of names made, changed and removed since the directory was synced,
the first few. ``cuts`` gives such images for every moment of a record.
"""

from __future__ import annotations

import random
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

SECTOR = 512
Write = tuple[int, bytes]


@dataclass
class File:
    durable: bytearray = field(default_factory=bytearray)
    pending: list[Write] = field(default_factory=list)


@dataclass
class Image:
    """What a power cut left, what had been acknowledged by then, and what had been begun."""

    files: dict[str, bytes]
    acknowledged: int
    attempted: int
    where: str

    def write_to(self, directory: Path, *, mark: int) -> None:
        """Lay it out; ``mark`` is what the mapped published mark says, which no call writes."""
        directory.mkdir()
        for name, content in self.files.items():
            used = content.rstrip(b"\0")
            with (directory / name).open("wb") as out:
                out.write(used)
                out.truncate(len(content))
            if name == "published" and len(content) == 4096:
                with (directory / name).open("r+b") as out:
                    out.seek(32)
                    out.write(struct.pack("<Q", mark))


def records(log: bytes) -> Iterator[tuple[str, int, int, bytes, int]]:
    at = 0
    while at + 17 <= len(log):
        operation, file, offset, size = struct.unpack_from("<cIQI", log, at)
        at += 17
        data = b""
        if operation in b"CWRUM":
            data = log[at : at + size]
            at += size
        yield operation.decode(), file, offset, data, size


def put(content: bytearray, write: Write) -> None:
    offset, data = write
    if len(content) < offset + len(data):
        content.extend(bytes(offset + len(data) - len(content)))
    content[offset : offset + len(data)] = data


def sectors(write: Write) -> list[Write]:
    offset, data = write
    parts = []
    while data:
        size = SECTOR - offset % SECTOR
        parts.append((offset, data[:size]))
        offset, data = offset + size, data[size:]
    return parts


class Disk:
    """Replays a record and gives the images of each moment."""

    def __init__(self, home: str, dice: random.Random) -> None:
        self.home = home
        self.dice = dice
        self.files: dict[int, File] = {}  # by the number that the recorded process gave it
        self.names: dict[str, File] = {}  # durable
        self.renames: list[tuple[str, str, File]] = []  # since the directory was synced
        self.acknowledged = self.attempted = 0

    def apply(self, operation: str, file: int, offset: int, data: bytes, size: int) -> None:
        if operation == "C":
            # A second process counts its files anew: what has the name already is that file.
            name = self._name(data)
            known = self._names_after(len(self.renames)).get(name)
            self.files[file] = known or File()
            if known is None:
                self.renames.append(("", name, self.files[file]))
        elif operation == "R":
            old, new = data.split(b"\0")
            self.renames.append((self._name(old), self._name(new), self.files[file]))
        elif operation == "U":
            self.renames.append((self._name(data), "", File()))
        elif operation == "Y":
            self.names = self._names_after(len(self.renames))
            self.renames = []
        elif operation == "W":
            self.files[file].pending.append((offset, data))
        elif operation == "D":  # written through O_DSYNC: durable by itself
            put(self.files[file].durable, self.files[file].pending.pop())
        elif operation == "S":
            for write in self.files[file].pending:
                put(self.files[file].durable, write)
            self.files[file].pending = []
        elif operation == "T":
            self.files[file].pending = []
            del self.files[file].durable[offset:]
        elif operation == "M":
            self._words(data)

    def _name(self, path: bytes) -> str:
        return path.decode().removeprefix(self.home).lstrip("/")

    def _words(self, data: bytes) -> None:
        word, *rest = data.decode().split()
        if word in ("A", "S"):
            self.acknowledged = max(self.acknowledged, int(rest[0]))
        if word in ("T", "S"):
            self.attempted = max(self.attempted, int(rest[0]))

    def _names_after(self, count: int) -> dict[str, File]:
        names = dict(self.names)
        for old, new, file in self.renames[:count]:
            names.pop(old, None)
            if new:
                names[new] = file
        return names

    def _image(self, kept: str, names: int, chance: float) -> Image:
        files = {}
        for name, file in self._names_after(names).items():
            content = bytearray(file.durable)
            pending = file.pending
            if kept == "none":
                chosen: list[Write] = []
            elif kept == "all":
                chosen = pending
            elif kept == "writes":
                chosen = [write for write in pending if self.dice.random() < chance]
                self.dice.shuffle(chosen)
            else:
                parts = [part for write in pending for part in sectors(write)]
                chosen = [part for part in parts if self.dice.random() < chance]
            for write in chosen:
                put(content, write)
            files[name] = bytes(content)
        return Image(files, self.acknowledged, self.attempted, kept)

    def images(self, samples: int) -> Iterator[Image]:
        every = len(self.renames)
        yield self._image("none", 0, 0)
        yield self._image("all", every, 0)
        if any(file.pending for file in self.files.values()):
            yield self._image("none", every, 0)
            for _ in range(samples):
                chance = self.dice.choice((0.1, 0.5, 0.9))
                names = self.dice.randint(0, every)
                yield self._image(self.dice.choice(("writes", "sectors")), names, chance)


def left_at_the_end(log: Path, home: Path) -> Image:
    """What is on the disk after the whole record, where nothing unsynced came to it."""
    disk = Disk(str(home), random.Random(0))
    for record in records(log.read_bytes()):
        disk.apply(*record)
    return disk._image("none", 0, 0)


def cuts(
    log: Path, home: Path, *, seed: int, samples: int, after: Image | None = None
) -> Iterator[Image]:
    """Images of every moment of the record at ``log``; never the same one twice. ``after``: what an
    earlier cut had left, and the recorded process found."""
    disk = Disk(str(home), random.Random(seed))
    if after is not None:
        disk.names = {name: File(bytearray(content)) for name, content in after.files.items()}
        disk.acknowledged, disk.attempted = after.acknowledged, after.attempted
    seen: set[int] = set()
    for number, record in enumerate(records(log.read_bytes())):
        disk.apply(*record)
        if record[0] in "CT":
            continue
        for image in disk.images(samples):
            key = hash((frozenset(image.files.items()), image.acknowledged, image.attempted))
            if key not in seen:
                seen.add(key)
                image.where = f"record {number} ({record[0]}), {image.where}"
                yield image
