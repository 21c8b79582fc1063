"""The command line in this process, talking to a server in memory."""

import json
import sys

import pytest

from retort import cli
from retort.testing import FakeRetort, FakeServer


class CommandLine:
    """`run(*words)` is a command; exit code, stdout and stderr as a shell sees them."""

    def __init__(self, server, monkeypatch, capsys):
        self.server = server
        self._monkeypatch, self._capsys = monkeypatch, capsys

    def run(self, *words, stdin=""):
        import io

        self._monkeypatch.setattr("sys.argv", ["retort", *map(str, words)])
        self._monkeypatch.setattr("sys.stdin", io.StringIO(stdin))
        self._capsys.readouterr()
        try:
            cli.main()
            self.code = 0
        except SystemExit as stopped:
            self.code = stopped.code or 0
        self.out, self.err = self._capsys.readouterr()
        return self

    def json(self, *words):
        self.run(*words, "--json")
        assert self.code == 0, self.err
        return json.loads(self.out)


@pytest.fixture
def shell(monkeypatch, capsys, tmp_path):
    server = FakeServer()
    monkeypatch.setattr("retort.cli.session.Retort", lambda: FakeRetort(server))
    for name in ("RETORT_URL", "RETORT_API_KEY", "RETORT_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mols.csv").write_text("smiles,y,name\nCCO,1,a\nCCC,2,b\nC1(,3,c\nCCO,1.5,d\n")
    assert sys.stdout is not None
    return CommandLine(server, monkeypatch, capsys)
