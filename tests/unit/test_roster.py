"""Goal: operators' files become exactly the image that the engine loads, or a complaint that names
file, line, key and rule.

Method: good files compiled and read back by offsets and by the core; a table of bad files, each
with the line and key that the complaint must name; the command line over the same files.
"""

from __future__ import annotations

import hashlib
import json
import struct
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from posengine._native.decide import Rehearsal
from posengine.cli.roster import app
from posengine.errors import ImageForm
from posengine.roster import Policy, Roster, RosterError, SealedKey, Terminal, names_of
from posengine.roster.image import crc32c
from posengine.roster.kinds import ALL, mask_of
from posengine.vocabulary import Kind

GOOD = """\
[[merchant]]
mid = "104110045110012"
name = "示例商户"

[[terminal]]
tid = "20000001"
mid = "104110045110012"

[[terminal]]
tid = "10000001"
mid = "104110045110099"
currency = 840
locked = true
amount_max = "5000.00"
line_nii = "0003"
mac = "x9.19"
kinds = ["all", "-QR_SALE"]
"""


KEY = SealedKey(bytes(range(33)), b"\x01\x02\x03\x04")


def written(tmp_path: Path, text: str, name: str = "terminals.toml") -> Path:
    path = tmp_path / name
    path.write_text(text, "utf-8")
    return path


def test_a_checksum_is_the_castagnoli_one() -> None:
    assert crc32c(b"123456789") == 0xE3069283  # RFC 3720


def test_terminals_are_records_in_order_of_tid(tmp_path: Path) -> None:
    keys = {("20000001", "104110045110012"): KEY}
    image = Roster.load(written(tmp_path, GOOD), keys=keys).compile()
    assert image[:8] == b"POSROSTR" and len(image) == 64 + 2 * 160
    assert image[32:48] == hashlib.sha256(image[64:]).digest()[:16]
    first, second = image[64:224], image[224:]
    assert first[:23] == b"10000001104110045110099"
    assert first[23] == 0x03 and second[23] == 0x01
    assert struct.unpack_from("<QqHH", first, 24) == (
        ALL & ~(1 << Kind.QR_SALE), 500_000, 840, 3
    )  # fmt: skip
    assert first[92] == 3 and first[93] == 0
    assert second[48:88].rstrip(b"\0").decode() == "示例商户"
    assert second[88:92] == KEY.kcv and second[93] == 33 and second[94:127] == KEY.sealed


def test_csv_gives_the_same_image_as_toml(tmp_path: Path) -> None:
    table = (
        "tid,mid,merchant_name,currency,locked,amount_max,line_nii,mac,kinds\n"
        "20000001,104110045110012,示例商户,,,,,,\n"
        "10000001,104110045110099,,840,true,5000.00,0003,x9.19,all -QR_SALE\n"
    )
    by_csv = Roster.load(written(tmp_path, table, "terminals.csv"))
    by_toml = Roster.load(written(tmp_path, GOOD))
    assert by_csv.compile() == by_toml.compile()
    assert by_csv.digest == by_toml.digest


@pytest.mark.parametrize(
    ("change", "line", "key"),
    [
        (('tid = "10000001"', 'tid = "20000001"'), 10, "terminal[1].tid"),
        (('tid = "10000001"', 'tid = "123456789"'), 10, "terminal[1].tid"),
        (('tid = "10000001"', ""), 9, "terminal[1].tid"),
        (('currency = 840', "currency = 0"), 12, "terminal[1].currency"),
        (('currency = 840', 'currency = "840"'), 12, "terminal[1].currency"),
        (("locked = true", "locked = 1"), 13, "terminal[1].locked"),
        (("5000.00", "5000"), 14, "terminal[1].amount_max"),
        (("0003", "3"), 15, "terminal[1].line_nii"),
        (("x9.19", "x9.99"), 16, "terminal[1].mac"),
        (("-QR_SALE", "-QRSALE"), 17, "terminal[1].kinds"),
        (("locked = true", "looked = true"), 13, "terminal[1].looked"),
        (("[[merchant]]", "[[merchants]]"), 1, "merchants"),
        (("示例商户", "示" * 14), 3, "merchant[0].name"),
        (('mid = "104110045110099"', "mid = 1"), 11, "terminal[1].mid"),
        (("[[terminal]]", "[[terminal"), 5, ""),
    ],
)
def test_a_complaint_names_line_and_key(
    tmp_path: Path, change: tuple[str, str], line: int, key: str
) -> None:
    path = written(tmp_path, GOOD.replace(*change))
    with pytest.raises(RosterError) as caught:
        Roster.load(path)
    assert (caught.value.line, caught.value.key) == (line, key)
    assert str(caught.value).startswith(f"{path}:{line}: ")
    assert isinstance(caught.value, ImageForm)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("tid,merchant\n", 1),
        ("tid,mid,colour\n", 1),
        ("tid,mid\n1,2\n3\n", 3),
        ("tid,mid\n1,2\n1,3\n", 3),
        ("tid,mid,active\n1,2,yes\n", 2),
        ("tid,mid,amount_max\n1,2,5\n", 2),
        ("tid,mid,currency\n1,2,CNY\n", 2),
        ("", 1),
    ],
)
def test_a_complaint_about_csv_names_the_line(tmp_path: Path, text: str, line: int) -> None:
    with pytest.raises(RosterError) as caught:
        Roster.load(written(tmp_path, text, "terminals.csv"))
    assert caught.value.line == line


def test_an_unreadable_file_is_told_in_one_line(tmp_path: Path) -> None:
    for name in ("none.toml", "none.csv"):
        with pytest.raises(RosterError, match="cannot be read"):
            Roster.load(tmp_path / name)


def test_kinds_are_masks_and_back() -> None:
    for names in (["all"], ["SALE", "REFUND"], ["all", "-QR_SALE"], []):
        assert names_of(mask_of(names)) == names
    with pytest.raises(ValueError, match="is no kind"):
        mask_of(["UNKNOWN"])


def test_a_name_that_is_too_long_does_not_compile() -> None:
    roster = Roster((Terminal("1", "2", merchant_name="x" * 41),), "here")
    with pytest.raises(RosterError, match="merchant name"):
        roster.compile()


# ---- policy --------------------------------------------------------------------------------------
def test_the_shipped_policy_is_sane_and_loads() -> None:
    policy = Policy.load()
    assert (policy.completion_percent, policy.unseen_reversal, policy.shard) == (115, "00", 0)
    assert policy.certification_kinds == 0, "certification is off unless it is asked for"
    Rehearsal(policy.compile())


def test_a_policy_says_only_what_differs(tmp_path: Path) -> None:
    path = written(tmp_path, '[acquirer]\nshard = 42\n[kinds.SALE]\namount_max = "50.00"\n')
    policy, shipped = Policy.load(path), Policy.load()
    assert policy.kinds[Kind.SALE].amount_max == 5000
    assert policy.kinds[Kind.REFUND] == shipped.kinds[Kind.REFUND]
    changed = {**shipped.kinds, Kind.SALE: policy.kinds[Kind.SALE]}
    assert policy == replace(shipped, shard=42, kinds=changed, path=str(path))
    assert policy.digest != shipped.digest


@pytest.mark.parametrize(
    ("text", "line", "key"),
    [
        ("[acquirer]\nshard = 100\n", 2, "acquirer.shard"),
        ("[acquirer]\nshards = 1\n", 2, "acquirer.shards"),
        ("[aquirer]\nshard = 1\n", 1, "aquirer"),
        ("acquirer = 1\n", 1, "acquirer"),
        ("[time]\ncutover = \"24:00\"\n", 2, "time.cutover"),
        ("[kinds.SELL]\noffered = true\n", 1, "kinds.SELL"),
        (
            "[kinds.SALE]\namount_min = \"2.00\"\namount_max = \"1.00\"\n",
            3, "kinds.SALE.amount_max",
        ),
        ("[kinds.SALE]\namount_max = 100\n", 2, "kinds.SALE.amount_max"),
        ("[kinds.SALE]\npin_above = \"always\"\n", 2, "kinds.SALE.pin_above"),
        ("[originals]\nunseen_reversal = \"12\"\n", 2, "originals.unseen_reversal"),
        ("[cards]\nentry_modes = [\"5\"]\n", 2, "cards.entry_modes"),
        ("[[cards.range]]\nfirst = \"62\"\n", 2, "cards.range[0].first"),
        ("[[cards.range]]\nfirst = \"620000\"\nlast = \"610000\"\n", 3, "cards.range[0].last"),
        (
            "[[cards.range]]\nfirst = \"620000\"\nlast = \"629999\"\n"
            "[[cards.range]]\nfirst = \"625000\"\n",
            5, "cards.range[1].first",
        ),
        ("[certification.answers]\n\"51\" = \"00\"\n", 2, "certification.answers.51"),
        ("[certification.answers]\n\"5\" = \"51\"\n", 2, "certification.answers.5"),
        ("[certification]\nkinds = [\"SALES\"]\n", 2, "certification.kinds"),
    ],
)  # fmt: skip
def test_a_complaint_about_a_policy_names_line_and_key(
    tmp_path: Path, text: str, line: int, key: str
) -> None:
    with pytest.raises(RosterError) as caught:
        Policy.load(written(tmp_path, text, "policy.toml"))
    assert (caught.value.line, caught.value.key) == (line, key)


def test_a_policy_decides_as_it_says(tmp_path: Path) -> None:
    """From TOML through the image to the answer: limits, ranges, certification."""
    text = (
        '[certification]\nkinds = ["SALE"]\n[kinds.SALE]\namount_max = "100.00"\n'
        'pin_above = "50.00"\n[[cards.range]]\nfirst = "622500"\nstanding = "stolen"\n'
    )
    core = Rehearsal(Policy.load(written(tmp_path, text, "policy.toml")).compile())
    core.terminal_set("1", "2", kind_mask=ALL)
    said = []
    for stan, (amount, card) in enumerate(
        [(0, 0), (10_001, 622202), (5_001, 622202), (151, 622202), (100, 622500), (100, 622202)]
    ):
        kind, mti = (Kind.SALE, 0x200) if stan else (Kind.SIGN_ON, 0x800)
        answer = core.ask(
            kind, mti, now_ns=10**18, tid="1", mid="2", fingerprint=bytes([stan] * 16), stan=stan,
            batch=min(stan, 1), amount_minor=amount, flags=0x10, bin=card,
        )  # fmt: skip
        said.append(answer["response"])
    assert said == ["00", "61", "55", "51", "43", "00"]


# ---- the verb ------------------------------------------------------------------------------------
def test_check_tells_what_it_read(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["check", str(written(tmp_path, GOOD)), "--format", "json"])
    assert result.exit_code == 0
    facts = json.loads(result.stdout)
    assert facts["roster"]["terminals"] == 2 and facts["roster"]["locked"] == 1
    assert facts["policy"]["digest"] == Policy.load().digest


def test_check_finds_a_mistake_in_one_line(tmp_path: Path) -> None:
    path = written(tmp_path, GOOD.replace("840", "0"))
    result = CliRunner().invoke(app, ["check", str(path)])
    assert result.exit_code == 1
    assert result.stderr.count("\n") == 1 and f"{path}:12: terminal[1].currency" in result.stderr


def test_compile_writes_both_images(tmp_path: Path) -> None:
    command = ["compile", str(written(tmp_path, GOOD)), "--output", str(tmp_path)]
    assert CliRunner().invoke(app, command).exit_code == 0
    assert (tmp_path / "policy.img").read_bytes() == Policy.load().compile()
    assert (tmp_path / "roster.img").read_bytes()[:8] == b"POSROSTR"


def test_show_names_terminals_and_no_key(tmp_path: Path) -> None:
    path = str(written(tmp_path, GOOD))
    rows = json.loads(CliRunner().invoke(app, ["show", path, "--format", "json"]).stdout)
    assert [row["tid"] for row in rows] == ["20000001", "10000001"]
    assert rows[1]["kinds"] == ["all", "-QR_SALE"] and rows[1]["line_nii"] == "0003"
    assert "sealed" not in rows[0]
    assert "104110045110099" in CliRunner().invoke(app, ["show", path, "10000001"]).stdout
    assert CliRunner().invoke(app, ["show", path, "99999999"]).exit_code == 1


def test_a_sealed_key_is_not_in_a_repr() -> None:
    terminal = Terminal("1", "2", key=SealedKey(b"SECRETSECRET", b""))
    assert "SECRET" not in repr(terminal) + repr(Roster((terminal,)))
