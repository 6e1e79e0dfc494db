"""Numbers and times, as people say them."""

__all__ = ["counted", "often", "short", "spent"]


def counted(number: int, word: str) -> str:
    """Return a number with the word for what is counted."""
    return f"{number:,} {word}" if number == 1 else f"{number:,} {word}s"


def short(number: int) -> str:
    """Return a large number in about three digits."""
    for unit, size in (("G", 10**9), ("M", 10**6), ("k", 10**3)):
        if number >= size:
            return f"{number / size:.{0 if number >= 100 * size else 1}f} {unit}"
    return str(number)


def often(rate: float) -> str:
    """Return how often something happens, from how often it does in a second."""
    return f"{rate:.1f} a second" if rate >= 0.95 else f"{60 * rate:.1f} a minute"


def spent(seconds: float) -> str:
    """Return how long something took."""
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 59.5:
        return f"{seconds:.1f} s" if seconds < 9.95 else f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours < 48 else f"{hours // 24} days {hours % 24} h"
