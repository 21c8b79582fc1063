"""Plots: what is drawn is where the axes say, is bounded in size, and holds no foreign markup."""

import re

import numpy as np
import pytest
from defusedxml.ElementTree import fromstring

from app.pages.plots import MAX_POINTS, Plot, evenly, span


def plot(**changed):
    return Plot(
        **{"x": (0.0, 10.0), "y": (0.0, 1.0), "x_label": "x", "y_label": "y", "label": "l"}
        | changed
    )


def places(svg, of="pt"):
    path = next(e for e in fromstring(svg) if of in e.get("class", "").split())
    return [tuple(map(float, m)) for m in re.findall(r"M([\d.-]+) ([\d.-]+)", path.get("d"))]


def test_a_point_lies_where_its_ticks_are():
    """x = 4 and y = 0.6 have a tick each: the point has the tick's place on both axes."""
    drawn = plot()
    drawn.points(np.array([4.0]), np.array([0.6]))
    ((x, y),) = places(drawn.svg())
    ticks = {e.text: e for e in fromstring(drawn.svg()) if e.get("class") == "tk"}
    assert float(ticks["4"].get("x")) == pytest.approx(x)
    assert float(ticks["0.6"].get("y")) - 4 == pytest.approx(y)


def test_few_points_of_many_rows_ends_among_them():
    kept = evenly(123_456)
    assert len(kept) == MAX_POINTS
    assert (kept[0], kept[-1]) == (0, 123_455)
    assert evenly(7).tolist() == list(range(7))
    drawn = plot()
    drawn.points(np.linspace(0, 10, 50_000), np.linspace(0, 1, 50_000))
    assert len(places(drawn.svg())) == MAX_POINTS
    assert len(drawn.svg()) < 25_000


def test_whiskers_stay_in_the_frame_and_unknown_ones_are_left_out():
    drawn = plot()
    drawn.whiskers(np.array([1.0, 2.0]), np.array([-5.0, np.nan]), np.array([5.0, np.nan]))
    path = next(e for e in fromstring(drawn.svg()) if "wh" in e.get("class").split())
    low, high = re.findall(r"M[\d.]+ ([\d.]+)V([\d.]+)", path.get("d"))[0]
    assert (float(low), float(high)) == (drawn.height - 40, 10)
    assert path.get("d").count("M") == 1


def test_text_is_no_markup():
    hostile = "<script>\"'&"
    drawn = plot(x_label=hostile, y_label=hostile, label=hostile, x_names=[(1.0, hostile)])
    drawn.text(1.0, 0.5, hostile)
    root = fromstring(drawn.svg())
    assert root.get("aria-label") == hostile
    assert [e.text for e in root].count(hostile) == 4
    assert not [e for e in root if "script" in e.tag]


def test_a_span_has_a_width_whatever_it_is_given():
    assert span(np.array([1.0, 3.0])) == (0.9, 3.1)
    low, high = span(np.array([2.0, np.nan, 2.0]))
    assert low < 2 < high
    assert span(np.array([np.nan])) == (0.0, 1.0)
