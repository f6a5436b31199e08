"""What the documentation gives to supervisors is what they and we understand."""

from __future__ import annotations

import re
import shutil
import subprocess
from configparser import RawConfigParser
from pathlib import Path

from syncline.settings import Settings
from tests.docs.blocks import ROOT
from tests.support.commands import Commands
from tests.support.data_folders import settings_for

_PAGE = (ROOT / "docs/howto/service.md").read_text("utf-8")


def _block(language: str) -> str:
    found = re.search(rf"^```{language}\n(.*?)^```$", _PAGE, re.MULTILINE | re.DOTALL)
    assert found is not None
    return found[1]


def _is_understood(commands: Commands, words: list[str]) -> None:
    assert words[0] == "syncline"
    assert commands.run(*words[1:], "--help").status == 0, words


def test_the_unit_is_one(tmp_path: Path) -> None:
    """systemd reads it, where it is there to be asked; what it starts is a command of ours."""
    unit = RawConfigParser(strict=False)
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read_string(_block("ini"))
    program, *words = unit["Service"]["ExecStart"].split()
    commands = Commands(settings_for(tmp_path), "default")
    _is_understood(commands, [Path(program).name, *words])
    Settings.from_environment(dict([unit["Service"]["Environment"].split("=", 1)]))
    systemd = shutil.which("systemd-analyze")
    if systemd is not None:
        here = tmp_path / "syncline.service"
        here.write_text(_block("ini").replace(program, shutil.which("true") or "/bin/true"))
        asked = subprocess.run(
            [systemd, "verify", "--man=no", str(here)], capture_output=True, text=True, check=False
        )
        ours = [line for line in asked.stderr.splitlines() if "syncline.service" in line]
        assert ours == [], asked.stderr


def test_the_container_starts_what_we_have(tmp_path: Path) -> None:
    """With settings that there are."""
    text = _block("dockerfile")
    started = re.findall(r"^CMD \[(.*)\]$", text, re.MULTILINE)[-1]
    words = re.findall(r'"([^"]+)"', started)
    _is_understood(Commands(settings_for(tmp_path), "default"), words)
    given = re.findall(r"(SYNCLINE_\w+)=(\S+)", text)
    settings = Settings.from_environment(dict(given))
    assert len(given) == 3
    assert (settings.metrics_port, settings.metrics_host) == (9464, "0.0.0.0")
    assert str(settings.data_dir) in re.findall(r"^VOLUME (.*)$", text, re.MULTILINE)
