"""Plots in SVG, to stand in a page: no script, no colour of their own, and a number wherever somebody points."""

import math
from collections.abc import Callable, Iterable, Sequence
from html import escape

__all__ = ["Plot", "round_values"]

Point = tuple[float, float]

# In units of the SVG; it is scaled to its place.
_WIDTH, _HEIGHT = 640, 240
_LEFT, _RIGHT, _TOP, _BOTTOM = 56, 14, 10, 26


def round_values(end: float, most: int, steps: Sequence[float] = ()) -> list[float]:
    """Return round values from 0 to the first that is not less than `end`.

    Args:
        end: What they have to cover.
        most: So many steps at most.
        steps: Lengths of a step that read well, ascending; beyond them, and without them, 1, 2 and 5 with zeros.
    """
    rough = max(end, 1e-9) / most
    step = next((step for step in steps if step >= rough), 0.0)
    if not step:
        power = 10.0 ** math.floor(math.log10(rough))
        step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * (1 - 1e-9))
    return [step * number for number in range(max(1, math.ceil(end / step - 1e-9)) + 1)]


class Plot:
    """A frame with two axes that begin at 0, and what is drawn in it.

    Args:
        label: What it shows, for those who cannot see it.
        wide: The end of the axis to the right.
        high: The end of the axis upwards.
    """

    def __init__(self, label: str, *, wide: float, high: float) -> None:
        self._label = label
        self._wide = wide
        self._high = high
        self._drawn: list[str] = []

    def x(self, value: float) -> float:
        """Return where a value stands from the left."""
        return round(_LEFT + value / self._wide * (_WIDTH - _LEFT - _RIGHT), 2)

    def y(self, value: float) -> float:
        """Return where a value stands from the top."""
        return round(_HEIGHT - _BOTTOM - value / self._high * (_HEIGHT - _TOP - _BOTTOM), 2)

    def rows(self, values: Iterable[float], words: Callable[[float], str]) -> None:
        """Draw a line across at each value, with its words beside."""
        for value in values:
            y = self.y(value)
            self._drawn.append(
                f'<line class="{"grid" if value else "axis"}" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y}" y2="{y}"/>'
                f'<text class="end" x="{_LEFT - 8}" y="{y + 4}">{escape(words(value))}</text>'
            )

    def columns(self, values: Iterable[float], words: Callable[[float], str]) -> None:
        """Write words beneath each value."""
        for value in values:
            x = self.x(value)
            # The last one would stand out of the frame.
            side = "end" if x > _WIDTH - 40 else "middle"
            self._drawn.append(f'<text class="{side}" x="{x}" y="{_HEIGHT - 8}">{escape(words(value))}</text>')

    def bar(self, left: float, right: float, bottom: float, top: float, kind: str) -> None:
        """Draw a bar between two values on each axis."""
        x, y, gap = self.x(left), self.y(top), min(1.0, (self.x(right) - self.x(left)) / 5)
        wide, high = round(self.x(right) - x - gap, 2), round(self.y(bottom) - y, 2)
        self._drawn.append(f'<rect class="{kind}" x="{x}" y="{y}" width="{wide}" height="{high}"/>')

    def line(self, points: Iterable[Point], kind: str) -> None:
        """Draw a line through points."""
        self._drawn.append(f'<polyline class="{kind}" points="{self._path(points)}"/>')

    def area(self, upper: Iterable[Point], lower: Sequence[Point], kind: str) -> None:
        """Fill what lies between two lines."""
        self._drawn.append(f'<polygon class="{kind}" points="{self._path([*upper, *reversed(lower)])}"/>')

    def dot(self, at: float, height: float, kind: str, share: float = 0.2) -> None:
        """Draw a dot whose area is a share of the largest."""
        radius = round(5.0 * math.sqrt(share), 2)
        self._drawn.append(f'<circle class="{kind}" cx="{self.x(at)}" cy="{self.y(height)}" r="{radius}"/>')

    def mark(self, at: float, kind: str, words: str, row: int = 0) -> None:
        """Draw a line upwards, with words in one of the rows at its head."""
        x, y = self.x(at), _TOP + 10 + 15 * row
        side, shift = ("end", -5) if x > _WIDTH * 0.8 else ("start", 5)
        self._drawn.append(
            f'<line class="{kind}" x1="{x}" x2="{x}" y1="{_TOP}" y2="{_HEIGHT - _BOTTOM}"/>'
            f'<text class="{side} {kind}" x="{x + shift}" y="{y}">{escape(words)}</text>'
        )

    def tell(self, left: float, right: float, words: str) -> None:
        """Say something to those who point between two values."""
        x, wide = self.x(left), round(self.x(right) - self.x(left), 2)
        self._drawn.append(
            f'<rect class="told" x="{x}" y="{_TOP}" width="{wide}" height="{_HEIGHT - _TOP - _BOTTOM}">'
            f"<title>{escape(words)}</title></rect>"
        )

    def svg(self) -> str:
        """Return the plot."""
        return (
            f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{escape(self._label)}">'
            f"{''.join(self._drawn)}</svg>"
        )

    def _path(self, points: Iterable[Point]) -> str:
        return " ".join(f"{self.x(at)},{self.y(height)}" for at, height in points)
