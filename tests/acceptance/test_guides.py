"""Every code block of README.md and docs/ runs, as somebody would who only copies and pastes."""

import pytest

from tests.support.guides import ROOT, Reader, blocks_of, pages

RUN = [
    page
    for page in pages()
    if any(b.language in {"sh", "python", "json"} and b.not_run is None for b in blocks_of(page))
]


@pytest.mark.parametrize("page", RUN, ids=lambda page: page.relative_to(ROOT).as_posix())
@pytest.mark.req("goal-100", "S2-28")
def test_page(page, cluster, tmp_path):
    folder = tmp_path / "retort"
    folder.mkdir()
    Reader(folder, cluster.home).follow(page)
