"""Whether a client's assignment has settled, as the client itself sees it.

Source: section 3 of the paper (clustering stops once the assignment stabilises); privacy.md:
stopping early spares the embedding's privacy budget.
"""

from collections.abc import Sequence

from secure_clove.errors import ConfigError


def is_stable(history: Sequence[int], rounds: int) -> bool:
    """Whether the last ``rounds`` assignments are one and the same.

    Args:
        history: Model of the client in each round it took part in, oldest first.
        rounds: How many equal assignments in a row it takes, at least 1.

    Raises:
        ConfigError: ``rounds`` is below 1.
    """
    if rounds < 1:
        raise ConfigError(f"stability takes at least 1 round, found {rounds}")
    return len(history) >= rounds and len(set(history[-rounds:])) == 1
