"""The catalogue as HTML pages and as docs/problems.md: `python -m api.problem_pages`."""

import base64
import hashlib
from collections.abc import Iterator
from html import escape
from pathlib import Path

from api.errors import STATUS
from app.core.problems import FIELD_CODES, GROUPS, WARNING_CODES, ProblemType

DOCUMENT = Path(__file__).resolve().parents[1] / "docs" / "problems.md"
_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:46rem;margin:2rem auto;padding:0 1rem}"
    "code,pre{background:#f2f2f2;padding:.1em .3em}pre{padding:.6em;white-space:pre-wrap}"
    "td{padding:.2em .8em .2em 0;vertical-align:top}"
)
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
#: a page's one style sheet, known by its hash, and nothing else
HEADERS = {
    "Content-Security-Policy": f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}';"
    " base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
}
_INTRODUCTION = (
    "Every error of the API is a problem document (RFC 9457, `application/problem+json`) with one "
    "of these codes, and so is the `error` of a failed job. `detail` says what is wrong this time, "
    "`remedy` what to do about it, `errors` names fields or rows, `request_id` leads the operator "
    "to the log. `type` is the address of the code's page on the gateway: `/problems/{code}`."
)


def where(entry: ProblemType) -> str:
    """HTTP status, or that it is a job's end."""
    seen = "in a failed job" if entry.category == "job" else f"HTTP {STATUS[entry.category]}"
    return seen + (", may be sent again unchanged" if entry.retryable else "")


# ---- Markdown


def document() -> str:
    """docs/problems.md, whole."""
    lines = [
        "# Problem codes",
        "",
        "<!-- written by `python -m api.problem_pages`; edit app/core/problems/ instead -->",
        "",
        _INTRODUCTION,
        "",
    ]
    for group, entries in GROUPS.items():
        lines += [f"## {group}", ""]
        for entry in entries:
            lines += _section(entry)
    lines += ["## Warnings", "", "A job that went on and has something to say: `warnings[].code`."]
    lines += ["", *_table(WARNING_CODES)]
    return "\n".join(lines)


def _section(entry: ProblemType) -> Iterator[str]:
    yield from (f"### {entry.code}", "", f"**{entry.title}** ({where(entry)}).", "")
    yield from (f"Why: {entry.cause}", "", f"What to do: {entry.remedy}", "")
    if entry.example:
        yield from ("For example:", "", "```text", entry.example, "```", "")
    if entry.code == "invalid_request":
        yield from ("`errors[].code` says what is wrong with a field:", "", *_table(FIELD_CODES))


def _table(meanings: dict[str, str]) -> Iterator[str]:
    yield from ("| code | meaning |", "|---|---|")
    for code, meaning in meanings.items():
        yield f"| `{code}` | {meaning.replace('|', chr(92) + '|')} |"
    yield ""


# ---- HTML


def list_page() -> str:
    parts = [f"<h1>Problem codes</h1><p>{_text(_INTRODUCTION)}</p>"]
    for group, entries in GROUPS.items():
        rows = "".join(
            f'<tr><td><a href="/problems/{e.code}">{e.code}</a></td><td>{_text(e.title)}</td></tr>'
            for e in entries
        )
        parts.append(f"<h2>{escape(group)}</h2><table>{rows}</table>")
    parts.append(f"<h2>Warnings</h2>{_html_table(WARNING_CODES)}")
    return _page("Problem codes", "".join(parts))


def problem_page(entry: ProblemType) -> str:
    parts = [
        f"<p><a href='/problems'>All codes</a></p><h1>{_text(entry.title)}</h1>",
        f"<p><code>{entry.code}</code>, {escape(where(entry))}</p>",
        f"<h2>Why it happens</h2><p>{_text(entry.cause)}</p>",
        f"<h2>What to do</h2><p>{_text(entry.remedy)}</p>",
    ]
    if entry.example:
        parts.append(f"<h2>For example</h2><pre>{escape(entry.example)}</pre>")
    if entry.code == "invalid_request":
        parts.append(f"<h2>Codes of fields</h2>{_html_table(FIELD_CODES)}")
    return _page(entry.title, "".join(parts))


def _html_table(meanings: dict[str, str]) -> str:
    rows = "".join(
        f"<tr><td><code>{code}</code></td><td>{_text(meaning)}</td></tr>"
        for code, meaning in meanings.items()
    )
    return f"<table>{rows}</table>"


def _text(text: str) -> str:
    """Escaped, with `code` between backticks."""
    pieces = escape(text, quote=False).split("`")
    return "".join(
        f"<code>{piece}</code>" if number % 2 else piece for number, piece in enumerate(pieces)
    )


def _page(title: str, body: str) -> str:
    return (
        f"<!doctype html><html lang='en'><meta charset='utf-8'><title>{escape(title)}</title>"
        f"<style>{_STYLE}</style><body>{body}</body></html>\n"
    )


if __name__ == "__main__":
    DOCUMENT.write_text(document())
