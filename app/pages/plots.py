"""Plots of a page as SVG markup: axes with round numbers, points, lines, bands, bars.

Colours are classes of the page's style, so that light, dark and paper each have their own; all text
is escaped. At most `MAX_POINTS` points are drawn, evenly taken, whatever the number of rows: the
size of a page is bounded.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from markupsafe import Markup, escape
from numpy.typing import NDArray

from app.pages.charts import ticks

Values = NDArray[np.float64]

MAX_POINTS = 1_000
_LEFT, _RIGHT, _TOP, _BOTTOM = 54, 10, 10, 40


def evenly(n: int, most: int = MAX_POINTS) -> NDArray[np.int64]:
    """At most `most` of n row numbers, first and last among them."""
    if n <= most:
        return np.arange(n)
    return np.unique(np.linspace(0, n - 1, most).round().astype(np.int64))


def span(*values: Values, margin: float = 0.05) -> tuple[float, float]:
    """From the lowest to the highest finite value, and a margin; (0, 1) without any."""
    known = np.concatenate([np.ravel(v) for v in values])
    known = known[np.isfinite(known)]
    if not len(known):
        return 0.0, 1.0
    low, high = float(known.min()), float(known.max())
    wide = (high - low) or abs(high) or 1.0
    return low - margin * wide, high + margin * wide


@dataclass(kw_only=True)
class Plot:
    """One pair of axes, `x` and `y` from lowest to highest. Draw first what lies beneath."""

    x: tuple[float, float]
    y: tuple[float, float]
    x_label: str
    y_label: str
    #: what a screen reader says instead of the picture
    label: str
    width: int = 400
    height: int = 320
    #: places and texts below the axis, where these are words
    x_names: Sequence[tuple[float, str]] | None = None
    _parts: list[str] = field(default_factory=list)

    def points(self, x: Values, y: Values, style: str = "a") -> None:
        """Dots; one path, so that a thousand cost 15 KB."""
        kept = evenly(len(x))
        places = zip(self._across(x[kept]), self._up(y[kept]), strict=True)
        drawn = "".join(f"M{a:.1f} {b:.1f}h0" for a, b in places)
        self._add(f'<path class="pt {style}" d="{drawn}"/>')

    def line(self, x: Values, y: Values, style: str = "a") -> None:
        kept = evenly(len(x))
        places = zip(self._across(x[kept]), self._up(y[kept]), strict=True)
        drawn = " ".join(f"{a:.1f},{b:.1f}" for a, b in places)
        self._add(f'<polyline class="ln {style}" points="{drawn}"/>')

    def whiskers(self, x: Values, low: Values, high: Values, style: str = "a") -> None:
        """Vertical lines from `low` to `high`; NaN has none."""
        kept = evenly(len(x))
        known = kept[np.isfinite(low[kept]) & np.isfinite(high[kept])]
        bottom, top = np.maximum(low[known], self.y[0]), np.minimum(high[known], self.y[1])
        places = zip(self._across(x[known]), self._up(bottom), self._up(top), strict=True)
        drawn = "".join(f"M{a:.1f} {b:.1f}V{c:.1f}" for a, b, c in places)
        self._add(f'<path class="wh {style}" d="{drawn}"/>')

    def bars(self, left: Values, right: Values, top: Values, style: str = "a") -> None:
        """From zero, or the foot of the plot, to `top`."""
        foot = self._up(np.array([max(0.0, self.y[0])]))[0]
        for a, b, c in zip(self._across(left), self._across(right), self._up(top), strict=True):
            size = f'x="{a:.1f}" y="{c:.1f}" width="{b - a:.1f}" height="{max(foot - c, 0):.1f}"'
            self._add(f'<rect class="br {style}" {size}/>')

    def text(self, x: float, y: float, text: str, anchor: str = "middle") -> None:
        """Just above the place."""
        a, b = self._across(np.array([x]))[0], self._up(np.array([y]))[0] - 5
        self._add(
            f'<text class="tx" x="{a:.1f}" y="{b:.1f}" text-anchor="{anchor}">{escape(text)}</text>'
        )

    def svg(self) -> Markup:
        frame = (
            f'<svg class="plot" viewBox="0 0 {self.width} {self.height}" width="{self.width}"'
            f' height="{self.height}" role="img" aria-label="{escape(self.label)}">'
        )
        # S704: numbers of ours and escaped text
        return Markup("".join([frame, *self._axes(), *self._parts, "</svg>"]))  # noqa: S704

    def _add(self, markup: str) -> None:
        self._parts.append(markup)

    def _across(self, values: Values) -> Values:
        low, high = self.x
        wide = self.width - _LEFT - _RIGHT
        return np.asarray(_LEFT + (values - low) / (high - low) * wide, dtype=np.float64)

    def _up(self, values: Values) -> Values:
        low, high = self.y
        tall = self.height - _TOP - _BOTTOM
        return np.asarray(_TOP + tall - (values - low) / (high - low) * tall, dtype=np.float64)

    def _axes(self) -> list[str]:
        foot, right = self.height - _BOTTOM, self.width - _RIGHT
        drawn = []
        for value in ticks(*self.y, 5):
            at = self._up(np.array([value]))[0]
            drawn.append(f'<path class="gr" d="M{_LEFT} {at:.1f}H{right}"/>')
            drawn.append(_tick(_LEFT - 6, at + 4, f"{value:.6g}", "end"))
        names = self.x_names or [(value, f"{value:.6g}") for value in ticks(*self.x, 6)]
        for value, name in names:
            at = self._across(np.array([value]))[0]
            drawn.append(_tick(at, foot + 15, name, "middle"))
        drawn.append(f'<path class="ax" d="M{_LEFT} {_TOP}V{foot}H{right}"/>')
        middle = (_LEFT + right) / 2
        drawn.append(_title(middle, self.height - 6, self.x_label, ""))
        up = (_TOP + foot) / 2
        drawn.append(_title(12, up, self.y_label, f' transform="rotate(-90 12 {up:.0f})"'))
        return drawn


def _tick(x: float, y: float, text: str, anchor: str) -> str:
    return f'<text class="tk" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def _title(x: float, y: float, text: str, turn: str) -> str:
    place = f'x="{x:.0f}" y="{y:.0f}" text-anchor="middle"{turn}'
    return f'<text class="lb" {place}>{escape(text)}</text>'
