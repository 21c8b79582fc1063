"""Pictures of a comparison as SVG markup; colours are classes of the page's style.

All text is escaped; numbers are ours.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from markupsafe import Markup, escape

from app.pages.charts import ticks
from app.pages.rendering import short

_ROW, _NAMES, _RIGHT = 36, 250, 16
_NAME_LENGTH = 34


@dataclass(frozen=True, kw_only=True)
class Scale:
    """Numbers from `low` to `high` onto pixels from `start` to `stop`."""

    low: float
    high: float
    start: float
    stop: float

    @classmethod
    def over(cls, values: Sequence[float], start: float, stop: float) -> "Scale":
        """With a margin of 4 %; of equal values, one around them."""
        low, high = min(values), max(values)
        margin = 0.04 * (high - low) or 0.1 * abs(high) or 1.0
        return cls(low=low - margin, high=high + margin, start=start, stop=stop)

    def __call__(self, value: float) -> float:
        share = (value - self.low) / (self.high - self.low)
        return round(self.start + share * (self.stop - self.start), 1)


def intervals(metric: str, found: Mapping[str, Any], *, width: int = 990) -> Markup:
    """A line for each candidate, best on top: its folds as dots, its mean, and the interval that
    does not overlap that of another when the two are different.
    """
    candidates = found["candidates"]
    scale = Scale.over(
        [value for one in candidates for value in _extent(one)], _NAMES, width - _RIGHT
    )
    foot = _ROW * len(candidates) + 8
    parts = _across(scale, foot, metric, top=4)
    best = candidates[0]
    baseline = found["baseline"]["mean"]
    if baseline is not None and scale.low <= baseline <= scale.high:
        parts.append(_mark(scale(baseline), 4, foot, "base", "knows only the mean or the majority"))
    for place, one in enumerate(candidates):
        style = "best" if place == 0 else ("same" if _overlap(best, one) else "worse")
        parts += _interval(scale, 8 + _ROW * place + _ROW / 2, one, style)
    label = f"{metric} of {len(candidates)} candidates with intervals"
    return _svg(parts, width, foot + 42, label)


def _extent(one: Mapping[str, Any]) -> list[float]:
    ends = [one[end] for end in ("low", "high") if one[end] is not None]
    return [*one["scores"], *ends, one["mean"]]


def _overlap(first: Mapping[str, Any], second: Mapping[str, Any]) -> bool:
    """Without intervals nothing is told apart."""
    if first["low"] is None or second["low"] is None:
        return True
    return bool(first["low"] <= second["high"] and second["low"] <= first["high"])


def _interval(scale: Scale, y: float, one: Mapping[str, Any], style: str) -> list[str]:
    drawn = [_text(_NAMES - 14, y + 2, short(one["name"], _NAME_LENGTH), "name", "end")]
    drawn += [
        f'<circle class="fold" cx="{scale(score)}" cy="{y + 8:.1f}" r="2"/>'
        for score in one["scores"]
    ]
    height = f"{y - 3:.1f}"
    if one["low"] is not None:
        ends = f'x1="{scale(one["low"])}" x2="{scale(one["high"])}" y1="{height}" y2="{height}"'
        drawn.append(f'<line class="span {style}" {ends}/>')
    told = f"<title>{escape(one['name'])}: {one['mean']:.4g}</title>"
    place = f'cx="{scale(one["mean"])}" cy="{height}"'
    return [*drawn, f'<circle class="mean {style}" {place} r="5">{told}</circle>']


def scrambling(metric: str, found: Mapping[str, Any], *, width: int = 420) -> Markup:
    """How often permuted labels reached which score, and where the real ones are."""
    values, real = found["scrambled"], found["real"]
    scale = Scale.over([*values, real], 20, width - 20)
    bins = min(24, max(6, round(math.sqrt(len(values)) * 2)))
    counts, edges = np.histogram(values, bins=bins, range=(scale.low, scale.high))
    foot, top = 120.0, 30.0
    tall = Scale(low=0, high=max(int(counts.max()), 1), start=foot, stop=top)
    parts = _across(scale, foot, metric, top=foot, count=5)
    for count, left, right in zip(counts.tolist(), edges[:-1], edges[1:], strict=True):
        if count:
            x, y = scale(float(left)), tall(count)
            size = f'width="{scale(float(right)) - x - 1:.1f}" height="{foot - y:.1f}"'
            parts.append(
                f'<rect class="bar" x="{x}" y="{y}" {size}>'
                f"<title>{count} of {len(values)} permutations</title></rect>"
            )
    parts.append(_mark(scale(real), 22, foot, "real", f"real labels: {real:.4g}"))
    anchor = "start" if real < (scale.low + scale.high) / 2 else "end"
    parts.append(_text(scale(real), 16, f"real labels {real:.3g}", "real", anchor))
    return _svg(parts, width, 162, f"{metric} with permuted and with real labels")


def learning_curve(
    metric: str, found: Mapping[str, Any], span: Sequence[float], *, width: int = 420
) -> Markup:
    """Mean over the folds against the number of training rows, and a band of one standard
    deviation to each side; `span`: values that the axis shows, the same for all candidates.
    """
    points = [point for point in found["points"] if point["mean"] is not None]
    rows = [point["n_train"] for point in points]
    foot = 190.0
    across = Scale.over([0.0, *rows], 58, width - 14)
    up = Scale.over(span, foot, 14)
    parts = [
        *_across(across, foot, "training rows", top=14, count=4),
        *_upwards(up, 58, width - 14, metric),
    ]
    upper = [f"{across(p['n_train'])},{up(p['mean'] + (p['std'] or 0))}" for p in points]
    lower = [f"{across(p['n_train'])},{up(p['mean'] - (p['std'] or 0))}" for p in points]
    middle = " ".join(f"{across(p['n_train'])},{up(p['mean'])}" for p in points)
    parts.append(f'<polygon class="band" points="{" ".join([*upper, *reversed(lower)])}"/>')
    parts.append(f'<polyline class="curve" points="{middle}"/>')
    for point in points:
        told = f"{point['n_train']:.0f} rows: {point['mean']:.4g} ± {point['std'] or 0:.2g}"
        parts.append(
            f'<circle class="mean best" cx="{across(point["n_train"])}" cy="{up(point["mean"])}"'
            f' r="4"><title>{told}</title></circle>'
        )
    return _svg(parts, width, 232, f"{metric} against the number of training rows")


def curve_span(curves: Sequence[Mapping[str, Any]]) -> list[float]:
    """Every value that a band of these curves reaches."""
    known = [p for curve in curves for p in curve["points"] if p["mean"] is not None]
    return [p["mean"] + side * (p["std"] or 0) for p in known for side in (-1, 1)]


def _across(scale: Scale, foot: float, label: str, *, top: float, count: int = 7) -> list[str]:
    """The axis at the foot with its numbers, and lines up to `top`."""
    drawn = []
    for value in ticks(scale.low, scale.high, count):
        x = scale(value)
        drawn.append(f'<line class="grid-line" x1="{x}" x2="{x}" y1="{top}" y2="{foot}"/>')
        drawn.append(_text(x, foot + 15, f"{value:.6g}"))
    ends = f'x1="{scale.start}" x2="{scale.stop}" y1="{foot}" y2="{foot}"'
    middle = (scale.start + scale.stop) / 2
    return [*drawn, f'<line class="axis" {ends}/>', _text(middle, foot + 34, label)]


def _upwards(scale: Scale, left: float, right: float, label: str) -> list[str]:
    drawn = []
    for value in ticks(scale.low, scale.high, 5):
        y = scale(value)
        drawn.append(f'<line class="grid-line" x1="{left}" x2="{right}" y1="{y}" y2="{y}"/>')
        drawn.append(_text(left - 6, y + 4, f"{value:.6g}", anchor="end"))
    middle = (scale.start + scale.stop) / 2
    turned = f'<g transform="rotate(-90 12 {middle:.0f})">{_text(12, middle, label)}</g>'
    return [*drawn, turned]


def _text(x: float, y: float, text: str, style: str = "tick", anchor: str = "middle") -> str:
    place = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"'
    return f'<text class="{style}" {place}>{escape(text)}</text>'


def _mark(x: float, top: float, foot: float, style: str, told: str) -> str:
    ends = f'x1="{x}" x2="{x}" y1="{top}" y2="{foot}"'
    return f'<line class="mark {style}" {ends}><title>{escape(told)}</title></line>'


def _svg(parts: Sequence[str], width: int, height: float, label: str) -> Markup:
    frame = (
        f'<svg class="chart" viewBox="0 0 {width} {height:g}" width="{width}" height="{height:g}"'
        f' role="img" aria-label="{escape(label)}">'
    )
    # S704: numbers of ours and escaped text
    return Markup("".join([frame, *parts, "</svg>"]))  # noqa: S704
