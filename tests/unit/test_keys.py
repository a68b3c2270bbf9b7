"""Goal: keys rest sealed and bound to their terminal, files are replaced whole, no key shows.

Method: the package in a temporary folder, and the verbs as an operator types them; every text that
comes out is searched for the keys that went in.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from posengine import cli, errors, keys, mac
from posengine.keys import keyfile

MASTER = bytes(range(32))
SIV = keys.sealing_key(MASTER)
TID, MID = "10000159", "880210010210160"
TMK = bytes.fromhex("54304AD05FC35BEA48F835A2DA4E6142")
OTHER = bytes.fromhex("0123456789ABCDEFFEDCBA9876543210")


def record(tid: str = TID, mid: str = MID, data: bytes = TMK) -> keys.KeyRecord:
    return keys.seal_tmk(tid, mid, mac.Key("TMK", data), SIV)


# ---- master key -------------------------------------------------------------------------------
def test_a_master_key_is_made_once_and_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "master.key"
    keys.make_master_key(path, random=lambda size: bytes(range(size)))
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.read_text() == bytes(range(32)).hex() + "\n"
    assert keys.load_master_key(path) == MASTER
    with pytest.raises(keys.KeyFileError, match="never overwritten"):
        keys.make_master_key(path, random=lambda size: bytes(size))
    assert keys.load_master_key(path) == MASTER


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o666])
def test_a_master_key_that_others_can_reach_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "master.key"
    path.write_text(MASTER.hex())
    path.chmod(mode)
    with pytest.raises(keys.KeyFileError, match="chmod 600"):
        keys.load_master_key(path)
    path.chmod(0o400)
    assert keys.load_master_key(path) == MASTER


@pytest.mark.parametrize("text", ["", "00" * 31, "00" * 33, "zz" * 32, "00 " * 32, "é" * 64])
def test_what_is_no_master_key_is_refused_unshown(tmp_path: Path, text: str) -> None:
    path = tmp_path / "master.key"
    path.write_text(text)
    path.chmod(0o600)
    with pytest.raises(keys.KeyFileError, match="64 hex characters") as caught:
        keys.load_master_key(path)
    assert text == "" or text not in str(caught.value)
    with pytest.raises(keys.KeyFileError, match="cannot be read"):
        keys.load_master_key(tmp_path / "absent")


# ---- key file ---------------------------------------------------------------------------------
def test_the_sealed_form_is_the_one_that_is_documented() -> None:
    name = b"10000159880210010210160"
    assert keys.associated(TID, MID) == name
    assert keys.associated("1", "2") == b"1       2              "
    sealed = record().sealed
    assert sealed == mac.siv_seal(mac.kdf(MASTER, "posengine siv", 64), b"\0" + TMK, name)


def test_a_saved_file_loads_and_its_keys_open(tmp_path: Path) -> None:
    path = tmp_path / "keys.jsonl"
    file = keys.KeyFile.load(path, must_exist=False)
    assert not file.add(record())
    assert not file.add(record("T2", "M2", OTHER))
    assert file.add(record())
    file.save()
    assert path.stat().st_mode & 0o777 == 0o600
    assert [item.name for item in tmp_path.iterdir()] == ["keys.jsonl"]
    again = keys.KeyFile.load(path)
    assert [(item.tid, item.mid) for item in again] == [(TID, MID), ("T2", "M2")]
    found = again.find(TID, MID)
    assert found is not None
    assert found.open(SIV).clear() == TMK
    assert TMK.hex() not in path.read_text().lower()
    assert again.remove("T2", "M2")
    assert not again.remove("T2", "M2")
    with pytest.raises(keys.KeyFileError, match="no such key file"):
        keys.KeyFile.load(tmp_path / "absent")


def test_a_line_under_another_name_or_altered_does_not_open() -> None:
    good = record()
    for tid, mid in (("10000150", MID), (TID, "880210010210161")):
        moved = keys.KeyRecord(tid, mid, good.cipher, good.kcv, good.sealed)
        with pytest.raises(errors.KeySeal):
            moved.open(SIV)
    with pytest.raises(errors.KeySeal):
        good.open(keys.sealing_key(MASTER[::-1]))
    with pytest.raises(keys.KeyFileError, match="the line says des 00000000"):
        keys.KeyRecord(TID, MID, "des", bytes(4), good.sealed).open(SIV)
    with pytest.raises(keys.KeyFileError, match="the line says sm4"):
        keys.KeyRecord(TID, MID, "sm4", good.kcv, good.sealed).open(SIV)


LINE = {"tid": TID, "mid": MID, "cipher": "des", "kcv": "00" * 4, "sealed": "00" * 33}


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "not a key file"),
        ("x", "not a key file"),
        ('{"other": 1}', "not a key file"),
        ('{"posengine_keys": 2}', "version 2"),
        ('{"posengine_keys": 1}\nx', ":2: not JSON"),
        ('{"posengine_keys": 1}\n[]', ":2: a line has"),
        *[
            ('{"posengine_keys": 1}\n' + json.dumps({**LINE, **change}), complaint)
            for change, complaint in [
                ({"tid": "123456789"}, ":2: TID"),
                ({"tid": ""}, ":2: TID"),
                ({"tid": " 1"}, ":2: TID"),
                ({"mid": "é"}, ":2: MID"),
                ({"cipher": "rc4"}, ":2: cipher"),
                ({"kcv": "0"}, ":2: kcv and sealed are hex"),
                ({"kcv": "00"}, ":2: kcv has 4 bytes"),
                ({"sealed": "00" * 24}, "sealed 25 to 49"),
                ({"sealed": "00" * 50}, "sealed 25 to 49"),
                ({"more": "1"}, ":2: a line has"),
                ({"kcv": 1}, ":2: a line has"),
            ]
        ],
        ('{"posengine_keys": 1}\n' + json.dumps(LINE) + "\n" + json.dumps(LINE), ":3:.*twice"),
    ],
)
def test_a_wrong_file_is_refused_by_line(tmp_path: Path, text: str, complaint: str) -> None:
    path = tmp_path / "keys.jsonl"
    path.write_text(text)
    with pytest.raises(keys.KeyFileError, match=complaint):
        keys.KeyFile.load(path)


def test_a_save_that_fails_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "keys.jsonl"
    file = keys.KeyFile.load(path, must_exist=False)
    file.add(record())
    file.save()
    before = path.read_bytes()

    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(keyfile.os, "fsync", refuse)
    file.add(record("T2", "M2", OTHER))
    with pytest.raises(keys.KeyFileError, match="No space left"):
        file.save()
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["keys.jsonl"]


# ---- keys from outside ------------------------------------------------------------------------
def test_components_are_xored() -> None:
    parts = [bytes.fromhex("00FF"), bytes.fromhex("0F0F"), bytes.fromhex("1111")]
    assert keys.combined(parts).hex() == "1ee1"
    for wrong in ([], parts[:1], [b"\1", b"\1\2"]):
        with pytest.raises(keys.KeyFileError, match="components"):
            keys.combined(wrong)
    with pytest.raises(keys.KeyFileError, match="given twice"):
        keys.combined([TMK, TMK])


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", ":1: the first line names"),
        ("tid,mid\n", ":1: the first line names"),
        ("tid,mid,tmk,tmk\n", ":1: the first line names"),
        ("tid,mid,tmk,note\n", ":1: the first line names"),
        ("tid,mid,tmk\n1,2\n", ":2: 2 columns"),
        ("tid,mid,tmk\n1,2,secret\n", ":2: tmk: not hex"),
        ("tid,mid,tmk,kcv\n1,2,00,xyz\n", ":2: kcv: not hex"),
    ],
)
def test_a_wrong_import_is_refused_by_line(tmp_path: Path, text: str, complaint: str) -> None:
    path = tmp_path / "tmks.csv"
    path.write_text(text)
    with pytest.raises(keys.KeyFileError, match=complaint) as caught:
        keys.read_csv(path)
    assert "secret" not in str(caught.value)


# ---- the verbs --------------------------------------------------------------------------------
class Operator:
    """Types verbs in a folder and keeps everything that came out."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self.capsys = capsys
        self.seen = ""

    def types(self, line: str) -> tuple[int, str]:
        try:
            cli.main(line.split())
            code = 0
        except SystemExit as end:
            code = int(end.code or 0)
        captured = self.capsys.readouterr()
        out = captured.out + captured.err
        self.seen += out
        return code, out


@pytest.fixture
def operator(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Operator:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(keys.MASTER_KEY_VARIABLE, raising=False)
    return Operator(tmp_path, capsys)


def test_an_operator_adds_lists_checks_and_removes(operator: Operator) -> None:
    assert operator.types("keys master master.key")[0] == 0
    assert operator.types("keys master master.key")[0] == 3
    code, out = operator.types(f"keys add {TID} {MID} --tmk {TMK.hex()} --kcv {mac.kcv(TMK)}")
    assert code == 0
    assert mac.kcv(TMK) in out
    first, second = OTHER, bytes(a ^ b for a, b in zip(OTHER, TMK, strict=True))
    code, out = operator.types(
        f"keys add T2 {MID} --component {first.hex()} --component {second.hex()}"
    )
    assert (code, mac.kcv(TMK) in out) == (0, True)
    code, out = operator.types("keys list --format json")
    assert json.loads(out) == [
        {"tid": tid, "mid": MID, "cipher": "des", "kcv": mac.kcv(TMK)} for tid in (TID, "T2")
    ]
    assert mac.kcv(TMK) in operator.types("keys list")[1]
    assert operator.types("keys check") == (0, "2 keys, 0 faults\n")
    assert operator.types(f"keys remove T2 {MID}")[0] == 0
    assert operator.types(f"keys remove T2 {MID}")[0] == 3
    assert len(keys.KeyFile.load(operator.folder / "keys.jsonl")) == 1
    assert_no_key_in(operator.seen)


def assert_no_key_in(text: str) -> None:
    for key in (TMK, OTHER):
        assert key.hex() not in text.lower()
        assert key[:8].hex() not in text.lower()


def test_a_wrong_key_is_told_in_one_line_unshown(operator: Operator) -> None:
    operator.types("keys master master.key")
    for line, code, words in [
        (f"keys add {TID} {MID} --tmk {TMK.hex()} --kcv 00000000", 2, "check value"),
        (f"keys add {TID} {MID} --tmk {TMK.hex()}z", 2, "not hex"),
        (f"keys add {TID} {MID} --tmk {TMK.hex()[:20]}", 2, "size"),
        (f"keys add {TID} {MID} --tmk 0101010101010101", 2, "weak"),
        (f"keys add 123456789 {MID} --tmk {TMK.hex()}", 2, "TID"),
        (f"keys add {TID} {MID} --tmk {TMK.hex()} --components 2", 2, "one way"),
        ("keys check --keys absent", 3, "no such key file"),
        ("keys check --master-key absent", 3, "cannot be read"),
        ("keys add --config absent 1 2", 3, "cannot be read"),
    ]:
        found, out = operator.types(line)
        assert (found, words in out, len(out.splitlines())) == (code, True, 1), line
        assert_no_key_in(out)
    assert not (operator.folder / "keys.jsonl").exists()


def test_components_are_asked_for_unseen(
    operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    operator.types("keys master master.key")
    second = bytes(a ^ b for a, b in zip(OTHER, TMK, strict=True))
    answers = iter([OTHER.hex(), second.hex(), TMK.hex()])
    asked: list[tuple[str, bool]] = []

    def prompt(what: str, *, hide_input: bool, err: bool) -> str:
        asked.append((what, hide_input and err))
        return next(answers)

    monkeypatch.setattr("posengine.cli.keys.typer.prompt", prompt)
    assert operator.types(f"keys add {TID} {MID} --components 2 --kcv {mac.kcv(TMK)}")[0] == 0
    assert operator.types(f"keys add {TID} {MID} --kcv {mac.kcv(TMK)}")[0] == 0
    assert asked == [
        ("component 1 of 2", True), ("component 2 of 2", True), ("TMK in hex 终端主密钥", True),
    ]


def test_a_fault_in_the_file_is_found(operator: Operator) -> None:
    operator.types("keys master master.key")
    operator.types(f"keys add {TID} {MID} --tmk {TMK.hex()}")
    operator.types(f"keys add T2 {MID} --tmk {OTHER.hex()}")
    path = operator.folder / "keys.jsonl"
    path.write_text(path.read_text().replace('"T2"', '"T3"'))
    code, out = operator.types("keys check --format json")
    assert code == 1
    assert [fault["tid"] for fault in json.loads(out)["faults"]] == ["T3"]
    assert operator.types("keys check")[0] == 1


def test_an_import_is_whole_or_nothing(operator: Operator) -> None:
    operator.types("keys master master.key")
    source = operator.folder / "tmks.csv"
    good = f"{TID},{MID},{TMK.hex()},{mac.kcv(TMK)},"
    for last, words in [
        (f"T2,{MID},{OTHER.hex()},00000000,", "tmks.csv:3"),
        (f"T2,{MID},{OTHER.hex()},,rc4", "tmks.csv:3"),
        (good, "twice"),
    ]:
        source.write_text(f"tid,mid,tmk,kcv,cipher\n{good}\n{last}\n")
        code, out = operator.types("keys import tmks.csv")
        assert (code, words in out) == (3, True)
        assert not (operator.folder / "keys.jsonl").exists()
    source.write_text(f"tid,mid,tmk,kcv,cipher\n{good}\nT2,{MID},{OTHER.hex()},,sm4\n")
    code, out = operator.types("keys import tmks.csv")
    assert (code, "2 new, 0 replaced, 1 without" in out) == (0, True)
    assert operator.types("keys check")[0] == 0
    source.write_text(f"tid,mid,tmk,sign_on\n{TID},{MID},{TMK.hex()},003\n")
    code, out = operator.types("keys import tmks.csv")
    assert (code, "0 new, 1 replaced, 1 without" in out) == (0, True)
    assert_no_key_in(operator.seen)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("roster.toml", f'[[terminal]]\ntid = "T1"\nmid = "{MID}"'),
        ("roster.csv", f"mid,tid,merchant_name\n{MID},T1,Shop"),
    ],
)
def test_one_line_gives_the_engine_a_terminal(operator: Operator, name: str, text: str) -> None:
    operator.types("keys master secret.key")
    roster = operator.folder / name
    roster.write_text(text)
    (operator.folder / "engine.toml").write_text(
        f'[engine]\nroster = "{name}"\nmaster_key = "secret.key"\nkey_file = "tmks.jsonl"\n'
    )
    line = f"keys add {TID} {MID} --config engine.toml --tmk {TMK.hex()}"
    code, out = operator.types(line)
    assert (code, f"added to {name}" in out) == (0, True)
    from posengine.roster import Roster

    assert {one.tid for one in Roster.load(roster).terminals} == {"T1", TID}
    before = roster.read_bytes()
    code, out = operator.types(line)
    assert (code, "replaced in tmks.jsonl" in out) == (0, True)
    assert roster.read_bytes() == before
    code, out = operator.types(f"keys add {TID} M2 --config engine.toml --tmk {TMK.hex()}")
    assert (code, f"of merchant {MID}" in out) == (3, True)
    assert roster.read_bytes() == before


# ---- posengine mac ----------------------------------------------------------------------------
SHORT = "30313233343536373839414243"


def test_mac_verbs_compute_verify_and_explain(operator: Operator) -> None:
    key = "--key 575B6B798C761992"
    assert operator.types(f"mac compute {SHORT} {key}") == (0, "3342364142304238  3B6AB0B8\n")
    code, out = operator.types(f"mac compute {SHORT} {key} -a x9.9 --format json")
    assert (code, json.loads(out)["mac"]) == (0, "1CFA9AE1B3BAE2E4")
    assert operator.types(f"mac verify {SHORT} 3342364142304238 {key}")[0] == 0
    assert operator.types(f"mac verify {SHORT} 3342364142304239 {key}")[0] == 1
    assert operator.types(f"mac verify {SHORT} {key}")[0] == 3
    code, out = operator.types(f"mac explain {SHORT} {key} --format json")
    steps = {step["step"]: step["value"] for step in json.loads(out)["steps"]}
    assert (steps["X"], steps["E2"]) == ("0808737177353637", "3B6AB0B8D60384AA")
    for line, code in [
        (f"mac compute {SHORT}", 2),
        (f"mac compute {SHORT} --key zz", 2),
        (f"mac compute {SHORT}0 {key}", 2),
        (f"mac compute {SHORT} {key} -a nonsense", 2),
        (f"mac compute {SHORT} {key} --size 9", 2),
        (f"mac compute {SHORT} --key 00", 2),
        (f"mac verify {SHORT} 00 --key 00", 2),
        (f"mac explain {SHORT} --key 00", 2),
    ]:
        assert operator.types(line)[0] == code, line
    assert "575B6B798C761992" not in operator.seen


def test_mac_verbs_take_a_frame_by_its_dialect(operator: Operator) -> None:
    frame = (
        "00A360000005106031000000000210703E02810AD08213166225000000000014000000000000000001000134"
        "0919470428151204270001000800095840303931393437313435303630303035383430323030313330323434"
        "30333830363231313030223930333130303030202020303330323538343020202031353600179F3602031E91"
        "0A42FE066E2918B088303000132200000700050000034355503531443837343145"
    )
    rest = "--spec unionpay-terminal --key"
    assert operator.types(f"mac verify {frame} {rest} 575B6B798C761992")[0] == 0
    assert operator.types(f"mac verify {frame} {rest} 5F5B6B798C761992")[0] == 1
    body = frame[26:]
    assert operator.types(f"mac verify {body} {rest} 575B6B798C761992")[0] == 0
    code, out = operator.types(f"mac explain {frame} {rest} 575B6B798C761992 --format json")
    assert json.loads(out)["steps"][-1] == {
        "step": "carried", "value": "3531443837343145", "note": "51D8741E right 正确",
    }
    code, out = operator.types(f"mac compute {frame} {rest} 575B6B798C761992")
    assert (code, out) == (0, "3531443837343145  51D8741E\n")
