"""Finding connectors by name and by what a person typed, whatever else is installed."""

import importlib.metadata
import subprocess
import sys
from pathlib import Path

import pytest

from syncline.connectors.registry import Registry
from syncline.core.errors import ConfigurationError, UsageError
from tests.support import scripted


@pytest.fixture
def site_packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in which a test installs packages."""
    folder = tmp_path / "site-packages"
    folder.mkdir()
    monkeypatch.syspath_prepend(folder)
    return folder


def _install(site_packages: Path, package: str, kind: str, target: str) -> None:
    information = site_packages / f"{package.replace('-', '_')}-1.0.dist-info"
    information.mkdir()
    (information / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
    (information / "entry_points.txt").write_text(f"[syncline.connectors]\n{kind} = {target}\n")


def test_an_unknown_kind_is_told_with_those_there_are() -> None:
    """The message names what was asked for, the hint what there is."""
    with pytest.raises(ConfigurationError, match="'telegraph'") as caught:
        Registry().get("telegraph")
    assert "files" in str(caught.value.hint)


def test_ours_are_found_without_looking_around(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a built-in kind nor a path makes anyone wait for a scan of all packages."""

    def scan(**selection: str) -> None:
        raise AssertionError("packages were scanned")

    monkeypatch.setattr(importlib.metadata, "entry_points", scan)
    registry = Registry()
    assert registry.get("files").kind == "files"
    assert registry.for_source("/")[0].kind == "files"


def test_a_package_brings_a_connector(site_packages: Path) -> None:
    """Its entry point names a spec; `kinds` lists it without importing anything."""
    _install(site_packages, "acme-wiki", "scripted", "tests.support.scripted:SPEC")
    _install(site_packages, "acme-broken", "broken", "no_such_module:SPEC")
    registry = Registry()
    assert {"broken", "files", "scripted", "website"} <= set(registry.kinds())
    assert registry.get("scripted") is scripted.SPEC


@pytest.mark.parametrize(
    ("target", "reason"),
    [
        ("no_such_module:SPEC", "ModuleNotFoundError"),
        ("tests.support.scripted:NO_SUCH_NAME", "AttributeError"),
        ("tests.support.scripted:World", "not a ConnectorSpec"),
        ("tests.support.scripted:SPEC", "kind 'scripted'"),
    ],
)
def test_a_broken_package_is_named_and_harms_no_others(
    site_packages: Path, target: str, reason: str
) -> None:
    """Only who asks for its connector hears of it."""
    _install(site_packages, "acme-broken", "broken", target)
    registry = Registry()
    with pytest.raises(ConfigurationError, match=f"acme-broken.*{reason}"):
        registry.get("broken")
    assert registry.get("files").kind == "files"
    assert registry.for_source("https://example.com/")[0].kind == "website"


def test_two_packages_with_one_kind_are_refused(site_packages: Path) -> None:
    """Which of them was meant must not depend on the order of a folder; ours are never replaced."""
    _install(site_packages, "acme-one", "wiki", "tests.support.scripted:SPEC")
    _install(site_packages, "acme-two", "wiki", "tests.support.scripted:PROOF")
    _install(site_packages, "acme-three", "files", "tests.support.scripted:SPEC")
    registry = Registry()
    with pytest.raises(ConfigurationError, match=r"acme-one.*acme-two"):
        registry.get("wiki")
    registry.kinds()
    assert registry.get("files").title == "Files and folders"


def test_the_environment_names_private_connectors() -> None:
    """That is how worker processes find the same connectors as their parent."""
    registry = Registry.from_environment(scripted.ENVIRONMENT)
    assert registry.get("scripted") is scripted.SPEC
    assert registry.get("scripted-proof") is scripted.PROOF
    with pytest.raises(ConfigurationError, match="SYNCLINE_CONNECTORS"):
        Registry.from_environment({"SYNCLINE_CONNECTORS": "scripted"})


def test_paths_and_file_urls_are_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However a path is written, its options hold it absolute, with links resolved."""
    folder = tmp_path / "hand book"
    folder.mkdir()
    (tmp_path / "link").symlink_to(folder)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    registry = Registry()
    for text in (
        str(folder),
        "hand book",
        "./hand book/",
        "~/hand book",
        "link",
        folder.as_uri(),
        f"  {folder} ",
        folder.as_uri().replace("file://", "FILE://localhost"),
    ):
        spec, options = registry.for_source(text)
        assert (spec.kind, options) == ("files", {"path": str(folder)})
    assert spec.default_name is not None
    assert spec.default_name(registry.parse_options(spec, options)) == "hand book"


@pytest.mark.parametrize("text", ["/no/such/folder", "./none", "~/none", "file:///no/such/folder"])
def test_a_path_that_does_not_exist_is_told(text: str) -> None:
    """With the absolute path that was looked for, and a hint."""
    with pytest.raises(UsageError, match=r"no file or folder '/.*(folder|none)'") as caught:
        Registry().for_source(text)
    assert caught.value.hint


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("docs.example.com/help", "https://docs.example.com/help"),
        ("gopher://example.com", "Files and folders"),
        ("none", "Files and folders"),
        ("", "path"),
    ],
)
def test_what_nothing_understands_is_told(text: str, hint: str) -> None:
    """The hint says what would be understood."""
    with pytest.raises(UsageError) as caught:
        Registry().for_source(text)
    assert hint in str(caught.value.hint)


def test_a_particular_connector_goes_before_the_general_one(site_packages: Path) -> None:
    """A package may know more about its URLs than that they are websites."""
    (site_packages / "acme_wiki.py").write_text(
        "from msgspec.structs import replace\n"
        "from tests.support.scripted import SPEC as S\n"
        "SPEC = replace(S, kind='wiki', from_source=lambda text: "
        "{'path': '/w'} if 'wiki.acme' in text else None)\n"
    )
    _install(site_packages, "acme-wiki", "wiki", "acme_wiki:SPEC")
    registry = Registry()
    assert registry.for_source("https://wiki.acme.example/")[0].kind == "wiki"
    assert registry.for_source("https://other.example/")[0].kind == "website"


def test_importing_the_registry_and_the_files_spec_is_cheap() -> None:
    """Neither an event loop nor a scan of packages stands between a user and an answer."""
    program = (
        "import sys, syncline.connectors.registry as r; r.Registry().get('files');"
        "print(*sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert not {"asyncio", "aiohttp", "numpy", "pathspec"} & set(done.stdout.split())
