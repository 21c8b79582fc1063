"""The commit that is checked out, from git's own files."""

import subprocess

from app.core.code_revision import code_revision, revision_of


def git(folder, *words):
    base = ["git", "-c", "user.name=t", "-c", "user.email=t@t", "-C", str(folder)]
    return subprocess.run(
        [*base, *words], check=True, capture_output=True, text=True
    ).stdout.strip()


def test_a_branch_a_detached_head_packed_refs_and_a_worktree(tmp_path):
    home, beside = tmp_path / "home", tmp_path / "beside"
    home.mkdir()
    assert revision_of(home) is None
    git(home, "init", "-q", "-b", "main")
    assert revision_of(home) is None, "no commit yet"
    git(home, "commit", "-q", "--allow-empty", "-m", "one")
    commit = git(home, "rev-parse", "HEAD")
    assert revision_of(home) == commit
    git(home, "pack-refs", "--all")
    assert revision_of(home) == commit
    git(home, "worktree", "add", "-q", "-b", "other", str(beside))
    git(beside, "commit", "-q", "--allow-empty", "-m", "two")
    assert revision_of(beside) == git(beside, "rev-parse", "HEAD") != commit
    git(home, "checkout", "-q", "--detach")
    assert revision_of(home) == commit


def test_a_version_is_known():
    assert set(code_revision()) == {"version", "revision"}
