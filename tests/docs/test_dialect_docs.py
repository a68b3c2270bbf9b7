"""Goal: the pages about dialects are true: the terminal dialect's is what its TOML says, the
reference names every key, the example of the how-to compiles.

Method: the tool writes its page again and the two are compared; keys are looked for; the example is
loaded and used.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from posengine.cli import main
from posengine.codec import Spec, schema
from posengine.errors import FieldForbidden

ROOT = Path(__file__).parents[2]


def test_the_page_of_the_dialect_is_not_stale() -> None:
    run = subprocess.run(
        [sys.executable, str(ROOT / "tools/dialect_docs.py"), "--check"],
        capture_output=True, text=True, check=False,
    )
    assert run.returncode == 0, run.stderr


def test_every_key_of_the_schema_is_in_the_reference() -> None:
    text = (ROOT / "docs/reference/spec_format.md").read_text(encoding="utf-8")
    tables = (
        schema.DIALECT, schema.FRAME, schema.MESSAGE, schema.MAC, schema.FIELD, schema.PART,
        schema.TAG, schema.LAYOUT, schema.VARIANT, schema.KIND, schema.KEYS, schema.KEY_BLOCK,
        schema.SETTING,
    )
    text = re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)
    words = set(re.findall(r"\w+", " ".join(re.findall(r"`[^`]+`", text))))
    missing = sorted({key for table in tables for key in table} - words)
    assert missing == []


def test_the_example_of_a_dialect_of_ones_own_compiles_and_reads(tmp_path: Path) -> None:
    text = (ROOT / "docs/howto/add_a_dialect.md").read_text(encoding="utf-8")
    example = re.search(r"```toml\n(.*?)```", text, re.DOTALL)
    assert example is not None
    file = tmp_path / "mine.toml"
    file.write_text(example[1], encoding="utf-8")
    spec = Spec.load(file)
    assert 47 not in spec.fields
    body = spec.build("0200", {
        3: "190000", 4: "1", 11: "1", 22: "072", 25: "91", 41: "12345678", 42: "898100012345678",
        43: "公交", 49: "156", 60: "22000001000", 64: bytes(8),
    })
    assert spec.kind(spec.parse(body)).name == "bus-sale"
    with pytest.raises(FieldForbidden, match="43"):
        spec.check(spec.parse(body))


def test_the_page_of_explain_shows_what_explain_says(capsys: pytest.CaptureFixture[str]) -> None:
    text = (ROOT / "docs/howto/explain_a_message.md").read_text(encoding="utf-8")
    command = re.search(r"posengine explain ([0-9a-f]+)", text)
    page = re.search(r"```text\n(.*?)```", text, re.DOTALL)
    assert command is not None
    assert page is not None
    with pytest.raises(SystemExit):
        main(["explain", command[1]])
    assert capsys.readouterr().out.startswith(page[1])
