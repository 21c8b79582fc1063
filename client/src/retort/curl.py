"""A call as a command line: what `client.curl` and `--dry-run` show."""

import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode


@dataclass(frozen=True, kw_only=True)
class Call:
    """One request before it is sent."""

    method: str
    #: absolute
    url: str
    params: Mapping[str, Any] = field(default_factory=dict)
    json: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    #: name of the local file that a multipart form carries
    file: str | None = None
    has_content: bool = False

    def curl(self) -> str:
        """Ready to paste; the key is `$RETORT_API_KEY`, never the key itself."""
        words = ["curl", "--fail-with-body"]
        if self.method != "GET":
            words += ["-X", self.method]
        words.append(shlex.quote(self.url + self._query()))
        lines = [" ".join(words), '-H "Authorization: Bearer $RETORT_API_KEY"']
        lines += [f"-H {shlex.quote(f'{name}: {value}')}" for name, value in self.headers.items()]
        if self.json is not None:
            lines.append("-H 'Content-Type: application/json'")
            lines.append(f"-d {shlex.quote(json.dumps(self.json, ensure_ascii=False))}")
        if self.file is not None:
            lines.append(f"-F {shlex.quote(f'file=@{self.file}')}")
        if self.has_content:
            lines.append("--data-binary @part")
        return " \\\n  ".join(lines)

    def _query(self) -> str:
        if not self.params:
            return ""
        return "?" + urlencode(self.params, doseq=True, quote_via=quote, safe=":")


class Shown(Exception):
    """Nothing is sent; `call` is what would have been."""
