"""Bars of a page: places and sizes in pixels; the template draws them."""

import math
from collections.abc import Mapping
from typing import Any

_MARGIN_BOTTOM = 22
_MARGIN_SIDE = 14
_MAX_SHARES = 6


def histogram(
    facts: Mapping[str, Any], *, width: int, height: int, axis: bool = True
) -> dict[str, Any]:
    """{width, height, base, bars: [{x, y, width, height, title}], ticks: [{x, text}]}."""
    counts, edges = facts["histogram"]["counts"], facts["histogram"]["edges"]
    low, high = edges[0], edges[-1]
    side = _MARGIN_SIDE if axis else 0
    base = height - (_MARGIN_BOTTOM if axis else 0)
    scale = (width - 2 * side) / (high - low)
    tallest = max(counts) or 1
    bars = []
    for count, left, right in zip(counts, edges[:-1], edges[1:], strict=True):
        # what is there is seen, however small
        tall = max(1.5, (base - 4) * count / tallest) if count else 0.0
        bars.append(
            {
                "x": round(side + (left - low) * scale + 0.5, 1),
                "y": round(base - tall, 1),
                "width": round(max((right - left) * scale - 1, 0.5), 1),
                "height": round(tall, 1),
                "title": f"{left:.4g} to {right:.4g}: {count:,}",
            }
        )
    marks = [
        {"x": round(side + (value - low) * scale, 1), "text": f"{value:.6g}"}
        for value in (ticks(low, high) if axis else [])
    ]
    return {"width": width, "height": height, "base": base, "bars": bars, "ticks": marks}


def shares(classes: Mapping[str, int], n: int) -> list[dict[str, Any]]:
    """The most frequent words with their percentage, the rest as one."""
    top = list(classes.items())[:_MAX_SHARES]
    shown = [
        {"word": word, "count": count, "percent": 100 * count / max(n, 1)} for word, count in top
    ]
    rest = n - sum(count for _, count in top)
    if rest > 0:
        shown.append({"word": None, "count": rest, "percent": 100 * rest / n})
    return shown


def ticks(low: float, high: float, n: int = 6) -> list[float]:
    """About `n` round numbers between `low` and `high`."""
    raw = (high - low) / n
    power = 10 ** math.floor(math.log10(raw))
    step = next(power * factor for factor in (1, 2, 2.5, 5, 10) if power * factor >= raw)
    first = math.ceil(low / step)
    return [k * step for k in range(first, math.floor(high / step + 1e-9) + 1)]
