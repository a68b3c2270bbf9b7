"""Goal: kept images are those that compiling would give, or they are not used.

Method: an operator's files, each changed in turn, and files that appear; images from the kept file
must equal those compiled afresh; a kept file that is damaged in any byte is passed over.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from paper.shop import Shop
from posengine.engine import kept
from posengine.engine.configuration import Configuration, read_configuration
from posengine.engine.images import Images, compile_images


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    shop = Shop(tmp_path)
    shop.write()
    (tmp_path / "downloads").mkdir()
    text = (tmp_path / "posengine.toml").read_text()
    text = text.replace("[engine]\n", '[engine]\ndownloads = "downloads"\n')
    (tmp_path / "posengine.toml").write_text(text)
    return shop


def configuration(shop: Shop) -> Configuration:
    return read_configuration(shop.home / "posengine.toml")


def start(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> tuple[Images, bool]:
    """The images of a start, and whether they were compiled for it; always the right ones."""
    compiled = []

    def counted(of: Configuration) -> Images:
        compiled.append(of)
        return compile_images(of)

    monkeypatch.setattr(kept, "compile_images", counted)
    images = kept.images_of(configuration(shop))
    assert images == compile_images(configuration(shop))
    return images, bool(compiled)


def test_what_has_not_changed_is_not_compiled_again(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, is_compiled = start(shop, monkeypatch)
    assert is_compiled
    assert start(shop, monkeypatch) == (first, False)
    assert kept.kept_path(shop.home / "journal").stat().st_mode & 0o777 == 0o600


def _roster(shop: Shop) -> None:
    shop.count += 1
    shop.write_roster()


def _policy(shop: Shop) -> None:
    file = shop.home / "policy.toml"
    file.write_text(file.read_text().replace("00010000", "00010001"))


def _keys(shop: Shop) -> None:
    file = shop.home / "terminals.keys"
    file.write_text("".join(file.read_text().splitlines(keepends=True)[:-1]))


def _no_keys(shop: Shop) -> None:
    (shop.home / "terminals.keys").unlink()


def _cutover(shop: Shop) -> None:
    file = shop.home / "policy.toml"
    file.write_text(file.read_text().replace('"00:00"', '"02:00"'))


def _appears(shop: Shop) -> None:
    (shop.home / "another.toml").write_text("")


def _configured(shop: Shop) -> None:
    file = shop.home / "posengine.toml"
    file.write_text(file.read_text().replace('"policy.toml"', '"other.toml"'))
    (shop.home / "other.toml").write_text((shop.home / "policy.toml").read_text())


@pytest.mark.parametrize(
    "change", [_roster, _policy, _keys, _no_keys, _cutover, _appears, _configured]
)
def test_what_has_changed_is_compiled_again(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, change: Callable[[Shop], None]
) -> None:
    start(shop, monkeypatch)
    change(shop)
    assert start(shop, monkeypatch)[1]
    assert not start(shop, monkeypatch)[1]


def test_a_file_of_the_same_size_and_time_counts_by_its_bytes(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    start(shop, monkeypatch)
    file = shop.home / "roster.toml"
    before = file.stat()
    file.write_text(file.read_text().replace("10000002", "10000009"))
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert start(shop, monkeypatch)[1]


def test_a_damaged_file_is_passed_over(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    start(shop, monkeypatch)
    path = kept.kept_path(shop.home / "journal")
    good = path.read_bytes()
    for at in [*range(40), *range(40, len(good), len(good) // 60)]:
        path.write_bytes(good[:at] + bytes([good[at] ^ 0x10]) + good[at + 1 :])
        assert start(shop, monkeypatch)[1], at
    path.write_bytes(good[: len(good) // 2])
    assert start(shop, monkeypatch)[1]


def test_files_that_cannot_be_kept_are_no_failure(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept.kept_path(shop.home / "journal").mkdir()
    assert start(shop, monkeypatch)[1]
    assert start(shop, monkeypatch)[1]
