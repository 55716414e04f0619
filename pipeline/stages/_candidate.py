"""Who somebody may be."""

from dataclasses import dataclass

from pipeline.core import Evidence


@dataclass(frozen=True, slots=True)
class Candidate:
    """A person whom a new segment may show; matched only above ``needed``; ``gate`` says what rules it out."""

    person_id: int
    distance: float
    evidence: float
    way: float
    needed: float
    gate: str | None

    def explained(self, quality: float) -> Evidence:
        """Return what the evidence is made of; ``quality`` is that of the segment's pictures."""
        return ("looks", self.evidence - self.way), ("way", self.way), ("needed", self.needed), ("quality", quality)
