"""A flame graph as one small SVG without a script: width is the share of samples.

Gregg 2016, "The Flame Graph", Commun. ACM 59(6), 48. Frames narrower than a pixel are left out.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from html import escape
from pathlib import PurePath
from zlib import crc32

_WIDTH = 1200.0
_ROW = 16
_TOP = 44
#: px: what is narrower is not drawn
_NARROWEST = 1.0
_LETTER = 6.3

Stacks = Mapping[tuple[str, ...], int]


def draw(stacks: Stacks, title: str) -> str:
    """SVG; a stack's outermost frame stands on top."""
    whole = sum(stacks.values())
    if not whole:
        raise ValueError("there is no sample: nothing was running")
    frames = list(_frames(stacks, 0.0, 0, _WIDTH / whole))
    height = _TOP + _ROW * (1 + max(depth for _, _, _, depth, _ in frames)) + 8
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH:.0f} {height}"'
        ' font-family="monospace" font-size="10.5">'
        f'<rect width="100%" height="100%" fill="#fff"/>'
        f'<text x="8" y="20" font-size="14">{escape(title)}</text>'
        f'<text x="8" y="36" fill="#555">{whole} samples; callers above, width is time</text>'
    )
    drawn = (_box(name, x, width, depth, n / whole) for name, x, width, depth, n in frames)
    return head + "".join(drawn) + "</svg>\n"


def _frames(
    stacks: Stacks, x: float, depth: int, scale: float
) -> Iterator[tuple[str, float, float, int, int]]:
    """(name, x, width, depth, samples) of each frame that can be seen, callers before callees."""
    below: dict[str, Counter[tuple[str, ...]]] = {}
    for stack, count in stacks.items():
        if stack:
            below.setdefault(stack[0], Counter())[stack[1:]] += count
    for name, rest in sorted(below.items()):
        count = sum(rest.values())
        width = scale * count
        if width >= _NARROWEST:
            yield name, x, width, depth, count
            yield from _frames(rest, x, depth + 1, scale)
        x += width


def _box(name: str, x: float, width: float, depth: int, share: float) -> str:
    shown = short(name)
    y, letters = _TOP + _ROW * depth, int((width - 4) / _LETTER)
    label = ""
    if letters >= 3:
        words = shown if len(shown) <= letters else shown[: letters - 1] + "…"
        label = f'<text x="{x + 2:.1f}" y="{y + 11}">{escape(words)}</text>'
    hue = 20 + crc32(shown.partition(" ")[0].encode()) % 35
    return (
        f"<g><title>{escape(shown)}: {share:.1%}</title>"
        f'<rect x="{x:.1f}" y="{y}" width="{max(width - 0.4, 0.6):.1f}" height="{_ROW - 1}"'
        f' fill="hsl({hue},85%,68%)"/>{label}</g>'
    )


def short(frame: str) -> str:
    """`name (file:line)` without the folders of this machine."""
    name, bracket, place = frame.rpartition(" (")
    if not bracket:
        return frame
    parts = PurePath(place.rstrip(")")).parts
    return f"{name} ({'/'.join(parts[-2:])})"
