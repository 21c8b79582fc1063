"""What the pages promise before anything runs: links, names of files, blocks that can be run."""

import re

import pytest

from tests.support.guides import LANGUAGES, ROOT, blocks_of, lines_missing, pages

#: blocks that cannot be run where the tests run; a new one needs a reason as good as these
MOST_NOT_RUN = 18
PAGES = pytest.mark.parametrize("page", pages(), ids=lambda page: page.relative_to(ROOT).as_posix())
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_FILE = re.compile(
    r"`((?:app|api|tasks|workers|tests|client|migrations|deploy|docs|examples)/[^`\s]*)`"
)


@PAGES
def test_every_block_says_what_it_is(page):
    blocks = blocks_of(page)
    assert len(blocks) == len(re.findall("^```", page.read_text(), re.MULTILINE)) / 2
    assert [b.where for b in blocks if b.language not in LANGUAGES] == []
    marks = [b for b in blocks if b.mark and not (b.file or b.not_run or b.fails)]
    assert [(b.where, b.mark) for b in marks] == []


def test_few_blocks_are_not_run_and_each_says_why():
    found = [block for page in pages() for block in blocks_of(page) if block.not_run is not None]
    told = "\n".join(f"{block.where}: {block.not_run}" for block in found)
    assert len(found) <= MOST_NOT_RUN, told
    assert [block.where for block in found if len(block.not_run.split()) < 2] == []


@PAGES
def test_links_lead_to_files(page):
    """Inside docs/ the site's build checks headings too; README and others are read as they are."""
    missing = []
    for link in _LINK.findall(page.read_text()):
        if link.startswith(("http://", "https://", "mailto:")):
            continue
        path = link.split("#")[0]
        if path and not (page.parent / path).exists():
            missing.append(link)
    assert missing == []


@PAGES
def test_addresses_outside_are_well_formed(page):
    """Whether they answer cannot be asked here."""
    for link in re.findall(r"\]\((https?:[^)]*)\)", page.read_text()):
        assert re.fullmatch(r"https://[\w.-]+\.[a-z]{2,}(/[\w./%#?=&~+-]*)?", link), link


@PAGES
def test_files_that_are_named_exist(page):
    names = {name.split("::")[0].rstrip(":,.") for name in _FILE.findall(page.read_text())}
    plain = {name for name in names if not re.search(r"[<>*{…]|\.\.\.", name)}
    assert [name for name in sorted(plain) if not (ROOT / name).exists()] == []


def test_blocks_are_found_with_their_line_and_mark(tmp_path, monkeypatch):
    monkeypatch.setattr("tests.support.guides.ROOT", tmp_path)
    page = tmp_path / "page.md"
    page.write_text(
        "# A\n\n```sh\nls\n```\n\n<!-- not run: two machines -->\n```python\n1\n2\n```\n"
    )
    first, second = blocks_of(page)
    assert (first.line, first.language, first.text, first.not_run) == (4, "sh", "ls\n", None)
    assert (second.where, second.text, second.not_run) == ("page.md:9", "1\n2\n", "two machines")


@pytest.mark.parametrize(
    ("expected", "shown", "missing"),
    [
        ("642 rows in = 640 ok", "a\n7 rows in = 5 ok + 2 rejected", []),
        ("rows in = 640 bad", "7 rows in = 5 ok", ["rows in = 640 bad"]),
        ("in rows", "rows in", ["in rows"]),
        ('{"state": "queued"}', '{"id":"0a1","state":"queued"}', []),
        ("...\nok /tmp/a", "ok /elsewhere/b", []),
    ],
)
def test_outputs_are_compared_by_their_words(expected, shown, missing):
    assert lines_missing(expected, shown) == missing
