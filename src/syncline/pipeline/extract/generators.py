"""The programs that write documentation. Their pages say plainly what is what."""

from __future__ import annotations

import re

__all__ = ["is_documentation"]

_KNOWN = re.compile(
    r"sphinx|docutils|javadoc|docbook|asciidoc|mkdocs|docusaurus|vitepress|gitbook|doxygen|mdbook"
    r"|rustdoc|antora|starlight|syncline"
)


def is_documentation(generator: str) -> bool:
    """Whether this program, named as pages name it but in lower case, writes documentation."""
    return _KNOWN.search(generator) is not None
