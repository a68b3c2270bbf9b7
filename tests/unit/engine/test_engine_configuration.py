"""Goal: a configuration is right and whole, or the start stops and says where it is wrong.

Method: the starter's own files, and the same with one thing changed; the supervisor with commands
that end as told, a clock and a sleep that only count.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from posengine.engine import Supervisor, compile_downloads, read_configuration
from posengine.engine.configuration import Restarts
from posengine.engine.downloads import crc32c
from posengine.engine.images import compile_images
from posengine.engine.starter import CONFIGURATION, write_starter
from posengine.errors import ImageForm, ImageLimit
from posengine.settings import SettingsError


@pytest.fixture
def home(tmp_path: Path) -> Path:
    write_starter(tmp_path / "shop")
    return tmp_path / "shop"


# ---- the starter ---------------------------------------------------------------------------------
def test_what_init_writes_is_read_and_compiles(home: Path) -> None:
    configuration = read_configuration(home / "posengine.toml")
    assert configuration.journal == home / "journal"
    images = compile_images(configuration)
    assert images.zone_offset_minute == 480
    assert len(images.spec) > 1_000
    assert (home / "master.key").stat().st_mode & 0o777 == 0o600


def test_every_commented_setting_is_a_setting(home: Path) -> None:
    """What the comments offer can be switched on as it stands."""
    opened = re.sub(r"^# (\w+ = )", r"\1", CONFIGURATION, flags=re.MULTILINE)
    assert opened.count("\n# ") < CONFIGURATION.count("\n# ") - 15
    (home / "posengine.toml").write_text(opened.replace("downloads = ", "# "), "utf-8")
    configuration = read_configuration(home / "posengine.toml")
    assert configuration.front["in_flight_max"] == 256
    assert configuration.engine["bad_macs_max"] == 5
    assert configuration.engine["volumes_max"] == 64


def test_settings_of_the_dialect_reach_the_image(home: Path) -> None:
    """Text and numbers; what the dialect does not allow stops the start."""
    file = home / "posengine.toml"
    plain = compile_images(read_configuration(file)).spec
    text = file.read_text("utf-8")
    line = '"layout.f59.length_size" = {}, "mac.output" = "raw"'
    for size, is_allowed in (("2", True), ("7", False)):
        settings = f"spec_settings = {{ {line.format(size)} }}"
        file.write_text(text.replace("# spec_settings", f"{settings}\n# spec_settings"), "utf-8")
        if is_allowed:
            assert compile_images(read_configuration(file)).spec != plain
        else:
            with pytest.raises(ImageForm, match="length_size"):
                compile_images(read_configuration(file))


def test_init_overwrites_nothing(home: Path) -> None:
    before = (home / "master.key").read_bytes()
    with pytest.raises(SettingsError, match="is there already"):
        write_starter(home)
    assert (home / "master.key").read_bytes() == before


# ---- faults are named ----------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("find", "put", "words"),
    [
        ("[front]", "[front]\nbogus = 1", "no such setting: bogus"),
        ("[limits]", "[limits]\nlock_s = 0", "lock_s: 0 is not within"),
        ('durability = "late"', 'durability = "never"', "durability"),
        ('listen = ["127.0.0.1:8583"]', "listen = []", "needs an address"),
        ('roster = "roster.toml"', "", "roster"),
        ("[engine]", "[engine\n", "posengine.toml"),
    ],
)
def test_a_fault_names_file_and_key(home: Path, find: str, put: str, words: str) -> None:
    file = home / "posengine.toml"
    text = file.read_text("utf-8")
    assert text.count(find) == 1
    file.write_text(text.replace(find, put), "utf-8")
    with pytest.raises(SettingsError) as caught:
        read_configuration(file)
    assert "posengine.toml" in str(caught.value)
    assert words in str(caught.value)


def test_the_variable_goes_before_the_master_key_file(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POSENGINE_MASTER_KEY_FILE", "/run/secrets/key")
    assert read_configuration(home / "posengine.toml").master_key == Path("/run/secrets/key")


# ---- downloads -----------------------------------------------------------------------------------
def test_the_sum_of_an_image_is_the_standards_own() -> None:
    assert crc32c(b"123456789") == 0xE3069283  # RFC 3720, B.4


def test_a_directory_becomes_an_image_and_faults_are_named(tmp_path: Path) -> None:
    assert compile_downloads(None)[:8] == b"PDL1\0\0\0\0"
    (tmp_path / "360.txt").write_text("# parameters\n1202\n\n1460\n", "utf-8")
    image = compile_downloads(tmp_path)
    assert b"\x04\x001202\x04\x001460" in image
    (tmp_path / "370.hex").write_text("9F0605A0000003\nnot hex\n", "utf-8")
    with pytest.raises(ImageForm, match=r"370\.hex:2"):
        compile_downloads(tmp_path)
    (tmp_path / "370.hex").write_text("00" * 960, "utf-8")
    with pytest.raises(ImageLimit, match=r"370\.hex:1"):
        compile_downloads(tmp_path)
    (tmp_path / "370.hex").unlink()
    (tmp_path / "readme.md").write_text("?", "utf-8")
    with pytest.raises(ImageForm, match=r"readme\.md"):
        compile_downloads(tmp_path)


# ---- the supervisor ------------------------------------------------------------------------------
def supervised(code: str, *, clock_step_s: float = 0.0) -> tuple[int, list[float], list[str]]:
    """Run a child that executes ``code``; its exit code, the sleeps and the log lines."""
    slept: list[float] = []
    told: list[str] = []
    now = 0.0

    def clock() -> float:
        nonlocal now
        now += clock_step_s
        return now

    supervisor = Supervisor(
        command=[sys.executable, "-S", "-c", code],
        restarts=Restarts(delay_s=0.25, delay_s_max=1.0, quick_s=5.0, quick_max=4),
        clock=clock,
        sleep=slept.append,
        tell=told.append,
    )
    return supervisor.run(), slept, told


def test_an_engine_that_ends_well_is_not_started_again() -> None:
    code, slept, _ = supervised("pass")
    assert (code, slept) == (0, [])


def test_an_engine_that_fails_quickly_too_often_is_given_up() -> None:
    code, slept, told = supervised("raise SystemExit(3)")
    assert code == 3
    assert slept == [0.5, 1.0, 1.0]  # doubled, up to the limit
    assert "event=gave_up code=3 quick_ends=4" in told[-1]


def test_an_engine_that_lived_is_started_again_without_counting(tmp_path: Path) -> None:
    mark = tmp_path / "runs"
    code, slept, _ = supervised(
        f"import os\nf = open({str(mark)!r}, 'a'); f.write('x'); f.close()\n"
        f"n = os.path.getsize({str(mark)!r})\nraise SystemExit(0 if n == 7 else 1)",
        clock_step_s=10.0,
    )
    assert (code, slept) == (0, [0.25] * 6)


def test_a_signal_that_killed_the_engine_is_its_exit_code() -> None:
    code, _, told = supervised("import os, signal; os.kill(os.getpid(), signal.SIGKILL)")
    assert code == 128 + 9
    assert "code=137" in told[1]
