"""Bytes from the operating system: the only source of released noise and keys in production."""

import os


class SystemEntropy:
    """See `secure_clove.foundation.seeds.Entropy`. Every purpose shares the one source."""

    is_simulated = False

    def draw(self, count: int) -> bytes:
        """Return ``count`` bytes that nobody can predict."""
        return os.urandom(count)

    def fork(self, *labels: str | int) -> "SystemEntropy":
        """Return this very source: its bytes are independent anyway."""
        return self
