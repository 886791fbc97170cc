"""Numbers and outside text in the form in which people read them, on the terminal and on paper."""

from math import exp

NONE = "—"


def printable(text: str, *, limit: int = 80) -> str:
    """Return ``text`` as one line that cannot steer a terminal or a page.

    Client ids and dataset names come from outside: control characters, escape sequences and
    marks that reverse the reading direction become U+FFFD.

    Args:
        text: Anything.
        limit: Most characters to keep, at least 2; the rest becomes an ellipsis.
    """
    clean = "".join(letter if letter.isprintable() else "\ufffd" for letter in text)
    return clean if len(clean) <= limit else f"{clean[: limit - 1]}…"


def score(value: float | None) -> str:
    """Return an index or share such as ARI with two decimals; a dash where it is unknown."""
    return NONE if value is None else f"{value + 0.0:.2f}".replace("-0.00", "0.00")


def percent(value: float | None) -> str:
    """Return a share of 1 as a percentage with one decimal; a dash where it is unknown."""
    return NONE if value is None else f"{100 * value:.1f} %"


def epsilon(value: float | None) -> str:
    """Return ε with as many digits as mean something; None is no bound at all."""
    if value is None:
        return "∞"
    if value >= 100:
        return f"{value:.0f}"
    return f"{value:.2f}" if value >= 0.1 or value == 0 else f"{value:.2g}"


def ratio(value: float | None) -> str:
    """Return a ratio such as signal to noise in at most three digits; a dash where it is unknown.

    What is below 0.005 is 0 for all that noise lets tell.
    """
    if value is None:
        return NONE
    digits = 2 if value < 9.995 else 1 if value < 99.95 else 0
    return f"{value:.{digits}f}"


def small(value: float) -> str:
    """Return a tiny probability such as δ in the shortest form: ``1e-5``."""
    return f"{value:g}".replace("e-0", "e-")


def volume(count: int) -> str:
    """Return a count of bytes in decimal units."""
    amount = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if amount < 999.5:
            return (
                f"{amount:.0f} {unit}" if amount >= 99.5 or unit == "B" else f"{amount:.1f} {unit}"
            )
        amount /= 1000
    return f"{amount:.1f} TB"


def duration(seconds: float) -> str:
    """Return a length of time in the two units that matter."""
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60}m {whole % 60:02d}s"
    return f"{whole // 3600}h {whole % 3600 // 60:02d}m"


def best_guess(value: float, *, delta: float) -> float:
    """Return the largest share of right answers of anyone who guesses a membership.

    The guess is whether one unit was in the data, with even odds beforehand.

    Args:
        value: ε, at least 0.
        delta: δ in [0, 1).

    Source:
        Kairouz, Oh, Viswanath, "The composition theorem for differential privacy", 2015, the
        region of error rates: (exp ε + δ) / (exp ε + 1).
    """
    return 1.0 - (1.0 - delta) / (exp(min(value, 700.0)) + 1.0)
