"""Images kept from the last start: compiled again only when something that they came from changed.

    configuration ─▶ every file read, every directory listed, as they were? ─▶ the images of then
                         └─ no ─▶ compile_images, and keep what was read beside what came of it

Ten thousand terminals take Python half a second to read, check and compile; to find that nothing
changed takes milliseconds. What was read is not guessed: while the files are compiled the
interpreter tells of each file that is opened and each directory that is listed, and their bytes are
kept and compared whole. TOML files that appear beside those that were read count too, and so does
this package's own code.

    POSKEPT1 <CRC-32 of the rest>\n  <header, JSON>\n  sources, one after the other  images
"""

from __future__ import annotations

import json
import os
import sys
import zlib
from contextlib import suppress
from pathlib import Path
from typing import Any

from posengine import __version__
from posengine.engine.configuration import Configuration
from posengine.engine.images import Images, compile_images

MAGIC = b"POSKEPT1"
IMAGES = ("spec", "roster", "policy", "downloads")
ROOMS = ("codec", "engine", "keys", "roster")
CODE = (".py", ".pyc", ".so")


class _Reads:
    """What is opened and listed while ``is_on``. A hook cannot be taken out, so one serves."""

    def __init__(self) -> None:
        self.is_on = False
        self.files: dict[str, None] = {}
        self.directories: dict[str, None] = {}
        sys.addaudithook(self._hear)

    def _hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self.is_on:
            return
        if event == "open" and isinstance(arguments[0], (str, bytes)):
            name = os.fsdecode(arguments[0])
            if not name.endswith(CODE):
                self.files[os.path.abspath(name)] = None
        elif event in ("os.listdir", "os.scandir") and isinstance(arguments[0], (str, bytes)):
            self.directories[os.path.abspath(os.fsdecode(arguments[0]))] = None


_reads: list[_Reads] = []


def kept_path(journal: Path) -> Path:
    """Beside the journal, as everything that can be made again."""
    return journal.with_name(journal.name + ".images")


def images_of(configuration: Configuration) -> Images:
    """The images of the last start if nothing has changed since, else compiled anew and kept.

    Raises:
        PosError: as ``compile_images`` does.
    """
    found = _kept(configuration)
    return compile_and_keep(configuration) if found is None else found


def compile_and_keep(configuration: Configuration) -> Images:
    """Compile, and keep the images for the next start. That they cannot be kept is no failure."""
    if not _reads:
        _reads.append(_Reads())
    reads = _reads[0]
    reads.files.clear()
    reads.directories.clear()
    reads.is_on = True
    try:
        images = compile_images(configuration)
    finally:
        reads.is_on = False
    with suppress(OSError):
        _keep(configuration, images, list(reads.files), list(reads.directories))
    return images


def _keep(
    configuration: Configuration, images: Images, files: list[str], directories: list[str]
) -> None:
    sources = [_bytes_of(name) for name in files]
    parts = [getattr(images, name) for name in IMAGES]
    header = {
        "asked": _asked(configuration),
        "files": [
            [name, None if data is None else len(data)]
            for name, data in zip(files, sources, strict=True)
        ],
        "directories": {name: _listing(name) for name in directories},
        "beside": {name: _tables(name) for name in {os.path.dirname(file) for file in files}},
        "images": [len(part) for part in parts],
        "zone_offset_minute": images.zone_offset_minute,
        "cutover_minute": images.cutover_minute,
    }
    body = json.dumps(header).encode() + b"\n" + b"".join([*filter(None, sources), *parts])
    path = kept_path(configuration.journal)
    making = path.with_name(path.name + ".making")
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
    with open(os.open(making, flags, 0o600), "wb") as file:
        file.write(MAGIC + b" %08x\n" % zlib.crc32(body) + body)
    os.replace(making, path)


def _kept(configuration: Configuration) -> Images | None:
    data = _bytes_of(str(kept_path(configuration.journal)))
    if data is None or data[: len(MAGIC)] != MAGIC:
        return None
    first, _, body = data.partition(b"\n")
    if first != MAGIC + b" %08x" % zlib.crc32(body):
        return None
    line, _, rest = body.partition(b"\n")
    header = json.loads(line)
    if header["asked"] != _asked(configuration) or not _is_as_then(header):
        return None
    at = 0
    for name, size in header["files"]:
        now = _bytes_of(name)
        then = None if size is None else rest[at : at + size]
        if now != then:
            return None
        at += size or 0
    parts = []
    for size in header["images"]:
        parts.append(rest[at : at + size])
        at += size
    spec, roster, policy, downloads = parts
    return Images(
        spec=spec, roster=roster, policy=policy, downloads=downloads,
        zone_offset_minute=header["zone_offset_minute"], cutover_minute=header["cutover_minute"],
    )  # fmt: skip


def _is_as_then(header: dict[str, Any]) -> bool:
    return all(
        _listing(name) == names for name, names in header["directories"].items()
    ) and all(_tables(name) == names for name, names in header["beside"].items())


def _asked(configuration: Configuration) -> list[Any]:
    """What of the configuration the images come from, and the code that makes them."""
    settings = json.dumps(configuration.spec_settings, sort_keys=True, default=repr)
    places = (
        configuration.roster, configuration.policy, configuration.downloads,
        configuration.key_file,
    )  # fmt: skip
    return [configuration.spec, settings, [str(place) for place in places], __version__, _code()]


def _code() -> list[int]:
    """Count, sizes and newest change of the modules and dialects that compile images."""
    home = Path(__file__).resolve().parent.parent
    facts = []
    for room in ROOMS:
        with os.scandir(home / room) as entries:
            facts += [entry.stat() for entry in entries if entry.is_file()]
    return [
        len(facts), sum(fact.st_size for fact in facts), max(fact.st_mtime_ns for fact in facts)
    ]  # fmt: skip


def _bytes_of(name: str) -> bytes | None:
    try:
        with open(name, "rb") as file:
            return file.read()
    except OSError:
        return None


def _listing(name: str) -> list[str] | None:
    try:
        return sorted(os.listdir(name))
    except OSError:
        return None


def _tables(name: str) -> list[str]:
    return [each for each in _listing(name) or [] if each.endswith((".toml", ".csv"))]
