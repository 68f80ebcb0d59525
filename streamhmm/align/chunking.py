"""How much audio to take at once: small chunks answer sooner, large ones cost less."""

from __future__ import annotations


class ChunkController:
    """Skeleton: a fixed length."""

    def __init__(self, max_utilisation: float = 0.25, *, min_chunk_s: float = 0.01, max_chunk_s: float = 1.0) -> None:
        self.max_utilisation = max_utilisation
        self.min_chunk_s = min_chunk_s
        self.max_chunk_s = max_chunk_s
        self.chunk_s = 0.1

    def observe(self, chunk_s: float, compute_s: float, backlog_s: float) -> float:
        """The length of the next chunk, s."""
        return self.chunk_s
