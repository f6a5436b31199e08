"""Questions whose answers are known: titles of documentation pages, and questions about meetings.

A page's title is asked for where the page does not have it: neither its title nor its `h1`.
The meetings lie beside this repository, in ../shared; where they do not, they are left out.
"""

from __future__ import annotations

import json
import re
import shutil
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

from selectolax.lexbor import LexborHTMLParser

from benchmarks.corpus import BUILD, make_corpus, names

__all__ = ["Question", "QuestionSet", "documentation", "meetings"]

_MEETINGS = Path(__file__).resolve().parents[2] / "shared" / "data" / "meetings" / "val.jsonl"
_SITE = re.compile(r" (?:\(Java SE 17 & JDK 17\)|— Python [\d.]+ documentation)$")
_TURNS = 25
"""A piece of a meeting of so many turns is a document."""
_ASKED = 1200


@dataclass(frozen=True, slots=True)
class Question:
    text: str
    answers: frozenset[str]
    """Entry ids of the documents that are right."""

    @property
    def tuning(self) -> bool:
        """In the half that weights were chosen on; the other half is held out."""
        return blake2b(self.text.encode(), digest_size=1).digest()[0] < 128


@dataclass(frozen=True, slots=True)
class QuestionSet:
    name: str
    folder: Path
    """What is to be synced."""
    questions: tuple[Question, ...]


def documentation() -> QuestionSet:
    """Every page without its title, and the unique titles as questions."""
    corpus, folder = make_corpus(), BUILD / "untitled"
    shutil.rmtree(folder, ignore_errors=True)
    titles: dict[str, str] = {}
    for name in names(corpus):
        page = LexborHTMLParser((corpus / name).read_bytes())
        found = page.css_first("title")
        titles[name] = _SITE.sub("", " ".join(found.text().split())) if found else ""
        for element in page.css("title, h1, meta[name=description]"):
            element.decompose()
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(page.html or "", "utf-8")
    often = Counter(titles.values())
    unique = [
        Question(title, frozenset({name}))
        for name, title in sorted(titles.items())
        if title and often[title] == 1
    ]
    unique.sort(key=lambda each: blake2b(each.text.encode()).digest())
    return QuestionSet("page titles", folder, tuple(unique[:_ASKED]))


def meetings() -> QuestionSet | None:
    """Questions about what was said, and the pieces of the meeting where it was."""
    if not _MEETINGS.is_file():
        return None
    folder = BUILD / "meetings"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return QuestionSet("meetings", folder, tuple(_asked(folder)))


def _asked(folder: Path) -> Iterator[Question]:
    with _MEETINGS.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines):
            meeting = json.loads(line)
            turns = meeting["meeting_transcripts"]
            for start in range(0, len(turns), _TURNS):
                text = "\n\n".join(
                    f"{turn['speaker']}: {turn['content']}"
                    for turn in turns[start : start + _TURNS]
                )
                (folder / _piece(number, start)).write_text(text, "utf-8")
            for asked in meeting["specific_query_list"]:
                answers = {
                    _piece(number, turn // _TURNS * _TURNS)
                    for first, last in asked["relevant_text_span"]
                    for turn in range(int(first), int(last) + 1)
                }
                yield Question(asked["query"], frozenset(answers))


def _piece(meeting: int, start: int) -> str:
    return f"meeting-{meeting:02}-{start:04}.txt"
