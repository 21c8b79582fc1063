"""The drawing of samples, by what a reader and an XML parser make of it."""

import pytest
from defusedxml import ElementTree

from benchmarks.flame_graph import draw, short

_SVG = "{http://www.w3.org/2000/svg}"
STACKS = {
    ("gateway", "main (/home/x/api/main.py:3)", "<read> (/home/x/a/b.py:1)"): 75,
    ("gateway", "main (/home/x/api/main.py:3)"): 25,
    ("worker", "predict (/home/x/c.py:9)"): 100,
    ("worker", "rare (/home/x/d.py:9)"): 0,
}


def frames(stacks: dict[tuple[str, ...], int]) -> dict[str, tuple[float, float, float]]:
    """By title: x, y, width."""
    tree = ElementTree.fromstring(draw(stacks, "Title & more"))
    found = {}
    for group in tree.iter(f"{_SVG}g"):
        box = group.find(f"{_SVG}rect").attrib
        found[group.find(f"{_SVG}title").text] = tuple(
            float(box[name]) for name in ("x", "y", "width")
        )
    return found


def test_a_frame_is_as_wide_as_its_share_and_lies_below_its_caller() -> None:
    found = frames(STACKS)
    assert set(found) == {
        "gateway: 50.0%",
        "main (api/main.py:3): 50.0%",
        "<read> (a/b.py:1): 37.5%",
        "worker: 50.0%",
        "predict (x/c.py:9): 50.0%",
    }
    caller, callee = found["main (api/main.py:3): 50.0%"], found["<read> (a/b.py:1): 37.5%"]
    assert callee[1] > caller[1]
    assert callee[2] == pytest.approx(450, abs=1)
    assert found["worker: 50.0%"][0] == 600


def test_no_folder_of_the_machine_is_named() -> None:
    assert "/home" not in draw(STACKS, "t")
    assert short("f (/a/b/c.py:1)") == "f (b/c.py:1)"
    assert short("gateway") == "gateway"


def test_no_sample_is_no_picture() -> None:
    with pytest.raises(ValueError, match="no sample"):
        draw({}, "t")
