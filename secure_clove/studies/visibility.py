"""What the coordinator of a run learns from its clustering, in words for screen and report."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True, slots=True, kw_only=True)
class Visibility:
    """How much of the clients a clustering shows.

    Attributes:
        is_sealed: Whether loss vectors are seen in sums alone.
        is_hidden: Whether only a client knows its cluster.
    """

    is_sealed: bool
    is_hidden: bool

    @classmethod
    def of(cls, settings: Mapping[str, object]) -> Self:
        """Return what ``settings`` of a federation ask for; what they leave out is seen."""
        is_sealed = settings.get("visibility") == "sealed"
        is_hidden = is_sealed and settings.get("membership") == "hidden"
        return cls(is_sealed=is_sealed, is_hidden=is_hidden)

    @property
    def in_short(self) -> str:
        """What the coordinator sees, as a clause."""
        if not self.is_sealed:
            return "the coordinator sees each client's loss vector"
        more = "the clusters' sizes" if self.is_hidden else "each client's cluster"
        return f"the coordinator sees sums and {more}"

    @property
    def masked(self) -> str:
        """What secure aggregation covers."""
        covered = "loss vectors and model updates" if self.is_sealed else "model updates"
        return f"on: of {covered} the coordinator learns sums only"

    def clustering(self, embedding: str) -> str:
        """Return what the clustering works on.

        Args:
            embedding: What clients make of their losses; ``raw`` carries no noise.
        """
        if not self.is_sealed:
            noise = "" if embedding == "raw" else ", with its noise"
            return f"each client's {embedding} loss vector{noise}"
        more = "how large each cluster is" if self.is_hidden else "which cluster each client is in"
        return f"sums of {embedding} loss vectors, and {more}"
