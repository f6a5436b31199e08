"""The path guard: whatever a name says and whatever happens to the tree, nothing leads out."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from syncline.core.errors import Forbidden
from syncline.security import paths
from syncline.security.paths import GuardedRoot, is_link, open_file, split_name


@pytest.fixture(params=["by descriptor", "by comparing"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both ways of opening: this platform's, and that of platforms without `dir_fd`."""
    if request.param == "by comparing":
        monkeypatch.setattr(paths, "_BY_DESCRIPTOR", False)
    return str(request.param)


@pytest.fixture
def tree(tmp_path: Path, way: str) -> Path:
    """A root with a file two folders down, and a secret beside the root."""
    root = tmp_path / "root"
    (root / "a" / "b").mkdir(parents=True)
    (root / "a" / "b" / "file.md").write_text("inside", "utf-8")
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret.md").write_text("secret", "utf-8")
    return root


@pytest.fixture
def no_open_files() -> Iterator[None]:
    """The test leaves as many descriptors open as it found."""
    before = _descriptors()
    yield
    assert _descriptors() == before


@pytest.mark.parametrize(
    "name", ["", "/", "/etc/passwd", "..", "a/..", "../a", "a//b", "./a", "a/", "a/./b", "a\0b"]
)
def test_names_that_could_lead_out_are_refused(name: str) -> None:
    """Absolute paths, `..`, empty components and NULs are no names of things inside."""
    with pytest.raises(Forbidden):
        split_name(name)


@given(st.text())
@example("..")
@example("a/../../b")
@example("\udcff/..")
def test_a_name_that_passes_stays_inside(name: str) -> None:
    """Whatever passes is beneath the root once the path is normalised."""
    try:
        parts = split_name(name)
    except Forbidden:
        return
    joined = os.path.normpath("/root/" + "/".join(parts))
    assert joined == f"/root/{name}"


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    max_examples=150,
)
@given(st.lists(st.sampled_from(["a", "b", "file.md", "out", "up", "loop", "gone"]), max_size=6))
@pytest.mark.usefixtures("no_open_files")
def test_no_walk_among_links_reads_outside(tree: Path, names: list[str]) -> None:
    """Along any path through a tree full of links, only the file inside can be opened."""
    for link, target in (("out", tree.parent / "outside"), ("up", ".."), ("loop", "loop")):
        if not (tree / "a" / link).is_symlink():
            (tree / "a" / link).symlink_to(target)
    with GuardedRoot(tree) as root:
        try:
            opened = root.open(names)
        except (OSError, Forbidden):
            return
        try:
            status = os.fstat(opened)
            assert stat.S_ISDIR(status.st_mode) or os.read(opened, 100) == b"inside"
            assert not (set(names) & {"out", "up", "loop"})
        finally:
            os.close(opened)


@pytest.mark.usefixtures("no_open_files")
def test_a_link_is_named_as_such(tree: Path) -> None:
    """A link in the last place or on the way is refused, wherever it leads."""
    (tree / "link.md").symlink_to(tree / "a" / "b" / "file.md")
    (tree / "folder").symlink_to(tree / "a")
    with GuardedRoot(tree) as root:
        for parts in (["link.md"], ["folder", "b", "file.md"]):
            with pytest.raises(Forbidden, match="link"):
                root.open(parts)
        with pytest.raises(Forbidden, match="link"), root.scan(["folder"]):
            pass
    with pytest.raises(Forbidden, match="link"):
        open_file(tree / "link.md")


@pytest.mark.usefixtures("no_open_files")
def test_a_folder_swapped_for_a_link_leads_nowhere(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An attacker who replaces a folder at the very moment of opening gains nothing."""
    outside = tree.parent / "outside"
    (outside / "b").mkdir()
    (outside / "b" / "file.md").write_text("secret", "utf-8")
    real_open = os.open

    def swapping(path: object, *arguments: object, **named: object) -> int:
        if not (tree / "a").is_symlink() and str(path) != str(tree):
            (tree / "a").rename(tree / "was a")
            (tree / "a").symlink_to(outside)
        return real_open(path, *arguments, **named)  # type: ignore[arg-type]

    with GuardedRoot(tree) as root:
        monkeypatch.setattr(os, "open", swapping)
        with pytest.raises(Forbidden):
            root.open(["a", "b", "file.md"])
        monkeypatch.undo()


@pytest.mark.usefixtures("no_open_files")
def test_opening_a_fifo_does_not_wait(tree: Path) -> None:
    """A named pipe without a writer is opened at once, and seen to be no file."""
    os.mkfifo(tree / "pipe")
    with GuardedRoot(tree) as root:
        opened = root.open(["pipe"])
        assert not stat.S_ISREG(os.fstat(opened).st_mode)
        os.close(opened)


@pytest.mark.usefixtures("no_open_files")
def test_the_root_may_be_a_link_and_notices_its_replacement(tree: Path) -> None:
    """Its path is its owner's; but a root that leads elsewhere by now is told apart."""
    link = tree.parent / "link"
    link.symlink_to(tree)
    with GuardedRoot(link) as root:
        assert root.is_still_there()
        with root.scan(["a"]) as children:
            assert [child.name for child in children] == ["b"]
        link.unlink()
        link.symlink_to(tree.parent / "outside")
        assert not root.is_still_there()
        root.close()
    with pytest.raises(NotADirectoryError):
        GuardedRoot(tree / "a" / "b" / "file.md")


def test_links_are_told_from_files(tmp_path: Path) -> None:
    """Only what `lstat` says is a link is one."""
    (tmp_path / "link").symlink_to("nowhere")
    assert is_link((tmp_path / "link").lstat())
    assert not is_link(tmp_path.lstat())


def _descriptors() -> int:
    return sum(1 for _ in Path("/dev/fd").iterdir())
