"""The code blocks of the documents, and what must be there to run one.

A comment before a block, which no reader sees, may say so::

    <!-- needs: broker -->
    <!-- given: my_model = lambda image: sv.Detections.empty() -->
    <!-- run by: tests/unit/connectors/kafka/test_documented_producers.py -->

``given`` is Python that runs before a Python block. ``run by`` names the test that runs the block.
"""

import re
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = sorted(
    path
    for pattern in ("*.md", "docs/**/*.md", "connectors/**/README.md", "models/README.md", "pipeline/**/README.md")
    for path in ROOT.glob(pattern)
)
NEEDS = {
    "broker": "a Kafka broker",
    "camera": "a webcam or a network camera",
    "account": "an account at a service on the internet",
    "certificate": "a certificate, and an address of the network",
    "docker": "a container engine",
    "download": "an address outside of the package registry",
    "hours": "more than ten minutes",
    "minutes": "one to ten minutes",
}
"""What a block may need, and what that means."""

BLOCK = re.compile(r"(?P<notes>(?:^<!-- .*? -->\n\s*)*)^```(?P<language>[^\n]*)\n(?P<code>.*?)^```$", re.M | re.S)
NOTE = re.compile(r"<!-- (needs|given|run by): (.*?) -->", re.S)
WRITTEN_TO = re.compile(r"# (~/\S+|[\w.-]+/\S+)\n")
"""The first line of a block that is a file: its name."""


@dataclass(frozen=True, slots=True)
class Block:
    """A code block of a document.

    Attributes:
        line: Where it begins, from 1.
        language: ``sh``, ``python``, ``yaml``, ``toml``; ``text`` or nothing for what is not code.
        needs: Keys of ``NEEDS``.
        given: Python that a reader has already.
        run_by: The test that runs it, if it is not run by ``test_document_blocks.py``.
    """

    document: Path
    line: int
    language: str
    code: str
    needs: frozenset[str] = field(default_factory=frozenset)
    given: str = ""
    run_by: str | None = None

    @property
    def name(self) -> str:
        """Where it stands, as an editor shows it."""
        return f"{self.document.relative_to(ROOT)}:{self.line}"

    @property
    def file(self) -> str | None:
        """The name of the file that the block shows, if its first line is one."""
        found = WRITTEN_TO.match(self.code)
        return found[1] if found and self.language in ("yaml", "toml", "python") else None


def blocks_of(document: Path) -> list[Block]:
    """Return the blocks of a document in order."""
    text = document.read_text()
    blocks = []
    for found in BLOCK.finditer(text):
        notes = dict(NOTE.findall(found["notes"]))
        blocks.append(
            Block(
                document,
                text.count("\n", 0, found.start("code")),
                found["language"],
                found["code"],
                frozenset(filter(None, notes.get("needs", "").split(", "))),
                notes.get("given", ""),
                notes.get("run by"),
            )
        )
    return blocks


def install_lines() -> list[str]:
    """Return every command of the documents that installs Passerby or an extra, once."""
    found: dict[str, None] = {}
    for document in DOCUMENTS:
        for line in re.split(r"[\n`]", document.read_text()):
            if re.match(r"(pip|pipx|uv tool) install (-c \S+ )?'?(\.|passerby|dist/)", line):
                found[line.split("  #")[0].strip()] = None
    return list(found)
