"""Goal: the example of docs/howto/drive_the_engine.md runs as it stands.

Method: its code is taken out of the page and executed in a directory that has a shop.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from paper.shop import Shop

PAGE = Path(__file__).resolve().parents[3] / "docs" / "howto" / "drive_the_engine.md"


def test_the_example_answers_a_frame(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    home = tmp_path / "shop"
    home.mkdir()
    shop = Shop(home)
    shop.write()
    (code,) = re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    monkeypatch.chdir(tmp_path)
    exec(compile(code, str(PAGE), "exec"), {"frame": shop.terminal().sign_on_frame()})
    answered, count = capsys.readouterr().out.splitlines()
    line, sequence, reply = answered.split()
    assert (line, sequence, count) == ("7", "1", "1")
    assert bytes.fromhex(reply)[13:15] == b"\x08\x10"
