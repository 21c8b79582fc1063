"""A comparison as one page that can be sent to a colleague: no script, nothing loaded."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import orjson

from app.comparison import charts
from app.comparison.conclusions import shown_name
from app.comparison.summary import ALPHA
from app.pages.policy import CONTENT_SECURITY_POLICY
from app.pages.rendering import page_template

_MAX_TARGETS = 8


def render_page(found: Mapping[str, Any]) -> str:
    """Of comparison.json as a dictionary (`result.compared`)."""
    shown = {name: shown_name(name, of) for name, of in found["metrics"].items()}
    main = shown[found["metric"]]
    curves = found["learning_curve"]
    span = charts.curve_span(list(curves.values()))
    page: str = _template().render(
        found=found,
        csp=CONTENT_SECURITY_POLICY,
        main=main,
        decided=found["metrics"][found["metric"]],
        shown=shown,
        targets=_listed(found["targets"]),
        rows=_candidate_rows(found),
        others=[shown[name] for name in found["metrics"] if name != found["metric"]],
        pictures=[
            {"metric": shown[name], "svg": charts.intervals(shown[name], of), "found": of}
            for name, of in found["metrics"].items()
            if of["candidates"]
        ],
        pairs=[_pair(pair) for pair in found["metrics"][found["metric"]]["pairs"]],
        scrambled=[
            {"name": name, "svg": charts.scrambling(main, of), "sentence": of["sentence"]}
            for name, of in found["y_scrambling"].items()
        ],
        curves=[
            {
                "name": name,
                "svg": charts.learning_curve(main, of, span) if span else "",
                "sentence": of["sentence"],
            }
            for name, of in curves.items()
        ],
        settings=[(name, _setting(of)) for name, of in found["candidates"].items()],
    )
    return page


@lru_cache(maxsize=1)
def _template() -> Any:
    folder = Path(__file__).parent / "templates"
    return page_template(folder, "comparison.html", score=_score, p=_p)


def _candidate_rows(found: Mapping[str, Any]) -> list[dict[str, Any]]:
    """In order of the first metric; those that have no place in it come last."""
    metrics, main = found["metrics"], found["metric"]
    by_name = {
        metric: {one["name"]: one for one in of["candidates"]} for metric, of in metrics.items()
    }
    ranked = list(by_name[main])
    names = ranked + [name for name in found["candidates"] if name not in ranked]
    return [
        {
            "name": name,
            "winner": name == found["winner"],
            "group": by_name[main][name]["group"] if name in by_name[main] else "",
            "scores": [of.get(name) for of in by_name.values()],
        }
        for name in names
    ]


def _pair(pair: Mapping[str, Any]) -> dict[str, Any]:
    """`verdict`: real, on these folds, or not shown."""
    if pair["folds_dependent"]["different"]:
        verdict = "real"
    else:
        verdict = "on these folds" if pair["different"] else "not shown"
    return {**pair, "verdict": verdict, "style": verdict.split()[0]}


def _setting(candidate: Mapping[str, Any]) -> str:
    algorithm = candidate["algorithm"]
    features = ", ".join(spec["name"] for spec in candidate["features"])
    params = orjson.dumps(algorithm["params"], option=orjson.OPT_SORT_KEYS).decode()
    said = f"{algorithm['name']} {params if algorithm['params'] else 'with its defaults'}"
    return f"{said}; features {features}" if features else said


def _listed(targets: Sequence[str]) -> str:
    more = len(targets) - _MAX_TARGETS
    return ", ".join(targets[:_MAX_TARGETS]) + (f" and {more} more" if more > 0 else "")


def _score(value: float | None) -> str:
    """Three digits behind the point, or what very small and large numbers want."""
    if value is None:
        return "\N{EN DASH}"
    usual = value == 0 or 0.01 <= abs(value) < 1_000  # noqa: PLR2004
    return (f"{value:.3f}" if usual else f"{value:.3g}").replace("-", "\N{MINUS SIGN}")


def _p(value: float | None) -> str:
    if value is None:
        return "-"
    return "< 0.001" if value < ALPHA / 50 else f"{value:.3f}"
