"""What a person sees of each command, and what a script gets."""

import csv
import json
import re
import shlex

import httpx
import pytest

from retort import Retort
from retort.cli.app import app
from retort.config import find_config
from retort.testing import FakeRetort

pytestmark = pytest.mark.req("goal-99")


@pytest.fixture
def trained(shell):
    """The data set `mols` and its model."""
    assert shell.run("data", "push", "mols.csv", "--target", "y").code == 0
    assert shell.run("train", "mols", "--target", "y", "--algorithm", "ridge").code == 0
    return shell


def next_of(text):
    """Commands that were shown as the next useful ones."""
    lines = [line for line in text.splitlines() if line.startswith("next: ")]
    return [shlex.split(c)[1:] for line in lines for c in line[6:].split("   |   ")]


def test_from_a_file_to_a_prediction_by_the_commands_that_are_shown(shell):
    shown = shell.run("data", "push", "mols.csv", "--target", "y")
    assert shown.code == 0, shown.err
    assert "4 rows in = 2 ok + 1 rejected + 1 merged" in shown.out
    assert "--smiles COLUMN" in shown.out, "how to say it otherwise"
    assert shown.out.index("--smiles COLUMN") < shown.out.index("rows in =")
    commands = next_of(shown.out)
    assert commands == [["data", "rejected", "mols:1"], ["train", "mols", "--target", "y"]]
    assert "C1(" in shell.run(*commands[0]).out
    trained = shell.run(*commands[1])
    assert "rmse" in trained.out
    commands = next_of(trained.out)
    assert commands == [["predict", "mols:1", "CCO"], ["models", "promote", "mols:1"]]
    assert re.search(r"CCO +-?\d+\.\d+ +\[", shell.run(*commands[0]).out)
    assert shell.run(*commands[1]).out.strip() == "mols@champion is mols:1 now"


def test_json_is_all_that_a_script_reads(trained):
    assert trained.json("data", "ls")[0]["ref"] == "mols:1"
    assert trained.json("models", "show", "mols")["ref"] == "mols:1"
    found = trained.json("predict", "mols", "CCO", "C1(")
    assert [item["status"] for item in found] == ["ok", "error"]
    assert trained.json("jobs", "ls", "--kind", "train")[0]["state"] == "succeeded"
    assert trained.json("train", "mols", "--target", "y")["state"] == "succeeded"


@pytest.mark.parametrize("command", ["train", "optimize"])
def test_a_split_takes_parameters(shell, command):
    given = ("--split", "time", "--split-set", "column=year", "--split-set", "test=0.2")
    assert shell.run(command, "mols", *given, "--seed", "3", "--dry-run").code == 0, shell.err
    body = shell.out[shell.out.index("{") : shell.out.rindex("}") + 1]
    split = {"name": "time", "params": {"column": "year", "test": 0.2}, "seed": 3}
    assert json.loads(body)["params"]["split"] == split


@pytest.mark.parametrize("command", ["train", "optimize", "compare"])
@pytest.mark.parametrize("leaks", ["refuse", "refuse_all"])
def test_leaks_can_be_refused(shell, command, leaks):
    more = ("--candidate", "ridge") if command == "compare" else ()
    assert shell.run(command, "mols", *more, "--leaks", leaks, "--dry-run").code == 0, shell.err
    body = shell.out[shell.out.index("{") : shell.out.rindex("}") + 1]
    assert json.loads(body)["params"]["leaks"] == leaks


def test_candidates_are_read_with_features_parameters_and_name(shell):
    given = ("--candidate", "ridge:features=maccs+erg,alpha=3,name=few", "--candidate", "svm")
    more = ("--learning-curve", "0.5,0.75", "--matters", "0.1", "--metric", "mae")
    assert shell.run("compare", "mols", *given, *more, "--dry-run").code == 0, shell.err
    body = shell.out[shell.out.index("{") : shell.out.rindex("}") + 1]
    params = json.loads(body)["params"]
    assert params["candidates"] == [
        {
            "algorithm": {"name": "ridge", "params": {"alpha": 3}},
            "features": [{"name": "maccs"}, {"name": "erg"}],
            "name": "few",
        },
        {"algorithm": {"name": "svm", "params": {}}},
    ]
    assert params["learning_curve"] == [0.5, 0.75]
    assert (params["practical_difference"], params["metrics"]) == (0.1, ["mae"])
    assert "y_scrambling" not in params
    assert shell.run("compare", "mols", *given, "--learning-curve", "half").code == 2
    assert shell.run("compare", "mols", "--candidate", "ridge:alpha").code == 2


def test_a_comparison_is_a_table_a_sentence_and_a_page(shell):
    assert shell.run("data", "push", "mols.csv", "--target", "y").code == 0
    given = ("--candidate", "ridge", "--candidate", "svm", "--target", "y")
    assert shell.run("compare", "mols", *given).code == 0, shell.err
    assert re.search(r"^ridge +\d\.\d+ ± \d\.\d+ +a", shell.out, re.MULTILINE)
    assert "(mean or majority)" in shell.out
    assert "25 folds" in shell.out
    ((command, action, job, name),) = next_of(shell.out)
    assert (command, action, name) == ("jobs", "download", "comparison.html")
    assert shell.run("jobs", "artifacts", job).code == 0


@pytest.mark.parametrize(
    "words",
    [
        ("train", "mols", "--target", "y", "--dry-run"),
        ("optimize", "mols", "--trials", "3", "--dry-run"),
        ("compare", "mols", "--candidate", "ridge", "--dry-run"),
        ("evaluate", "mols", "--dry-run"),
        ("featurize", "mols", "--dry-run"),
        ("predict", "mols", "CCO", "--dry-run"),
        ("predict", "mols", "mols.csv", "--dry-run"),
        ("data", "push", "mols.csv", "--dry-run"),
        ("files", "push", "mols.csv", "--dry-run"),
        ("jobs", "cancel", "j", "--dry-run"),
        ("jobs", "retry", "j", "--dry-run"),
        ("models", "promote", "mols:1", "--dry-run"),
        ("models", "rollback", "mols", "--to", "1", "--dry-run"),
        ("models", "unalias", "mols", "champion", "--dry-run"),
    ],
    ids=" ".join,
)
def test_a_dry_run_prints_the_request_and_sends_nothing(shell, words):
    assert shell.run(*words).code == 0, shell.err
    assert shell.out.startswith("curl ")
    assert "$RETORT_API_KEY" in shell.out
    assert shell.server.calls == []


def test_exit_codes_tell_what_happened(trained):
    assert trained.run("train", "mols", "--target", "nope").code == 1
    assert "→" in trained.err
    assert trained.run("train").code == 2
    assert trained.run("jobs", "estimate", "train", "{no json").code == 2
    assert trained.run("jobs", "ls", "--before", "yesterday").code == 2
    trained.server.trouble_next(*[httpx.ConnectError("away")] * 6)
    assert trained.run("models", "ls").code == 3
    assert trained.run("models", "show", "nothing").code == 4
    assert trained.run("predict", "nothing", "CCO").code == 4
    assert trained.run("data", "push", "nowhere.csv").code == 4


def test_a_problem_is_told_with_field_remedy_request_and_page(trained, monkeypatch):
    monkeypatch.setenv("RETORT_URL", "http://fake.retort")
    monkeypatch.setenv("RETORT_API_KEY", "k")
    assert trained.run("predict", "mols", "C" * 6_000).code == 0, "an input fails alone"
    trained.run("catalog", "algorithms", "ridg")
    assert "→ Use one of: lightgbm, ridge, random_forest." in trained.err
    assert "request fake" in trained.err
    assert "http://fake.retort/problems/unknown_name" in trained.err
    assert "Traceback" not in trained.err


def test_interruption_detaches_and_says_how_to_come_back(trained, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("retort.cli.progress._watch", interrupted)
    assert trained.run("train", "mols", "--target", "y").code == 130
    assert "the job runs on" in trained.err
    job_id = re.search(r"retort jobs follow (\S+)", trained.err)[1]
    assert FakeRetort(trained.server).jobs.get(job_id).state != "cancelled"


def test_detached_jobs_are_followed_later(trained):
    shown = trained.run("train", "mols", "--target", "y", "--detach")
    (command,) = next_of(shown.out)
    assert trained.run(*command).out.strip() == "train succeeded"
    assert "train: queued" in trained.err
    assert "train: succeeded" in trained.err
    assert "\x1b" not in trained.err + trained.out, "no colours where there is no terminal"


def test_labels_filters_and_bulk(trained):
    trained.run("train", "mols", "--target", "nope", "--label", "assay=sol")
    label = ("--label", "assay=sol")
    (job,) = trained.json("jobs", "ls", *label, "--state", "failed", "--after", "2020-01-01")
    dry = trained.run(
        "jobs", "bulk", "retry", "--state", "failed", "--where", "assay=sol", "--dry-run"
    )
    assert dry.out.strip() == "1 jobs match, 1 would change (retry)"
    assert trained.json("jobs", "show", job["id"])["state"] == "failed"
    assert trained.json("jobs", "bulk", "relabel", "--where", "assay=sol", "--label", "seen=yes")
    assert trained.json("jobs", "label", job["id"], "--label", "assay=")["labels"] == {
        "seen": "yes"
    }
    assert "1 changed" in trained.run("jobs", "bulk", "retry", "--where", "seen=yes").out


def test_a_job_is_looked_at_from_all_sides(trained):
    (job,) = trained.json("jobs", "ls", "--kind", "train")
    assert "the job is succeeded" in trained.run("jobs", "logs", job["id"], "-f").out
    assert trained.run("jobs", "logs", job["id"], "--search", "queued").out.count("\n") == 1
    assert trained.run("jobs", "show", job["id"]).out.startswith(job["id"])
    dry = trained.run("jobs", "rerun", job["id"], "--set", "algorithm.params.alpha=3", "--dry-run")
    assert "/params/algorithm/params/alpha: None → 3" in dry.out
    assert "nothing was submitted" in dry.out
    again = trained.run("jobs", "rerun", job["id"], "--set", "algorithm.params.alpha=3")
    (command,) = next_of(again.out)
    assert trained.run(*command).code == 0
    assert trained.json("jobs", "show", command[2])["rerun_of"] == job["id"]
    assert trained.run("jobs", "retry", job["id"]).code == 2


def test_molecules_from_stdin_and_into_a_file(trained, tmp_path):
    shown = trained.run("predict", "mols", "-", "-o", "out.csv", stdin="CCO first\n\nC1(\n")
    assert shown.out.strip() == "2 rows, 1 explained; written to out.csv"
    rows = list(csv.DictReader((tmp_path / "out.csv").read_text().splitlines()))
    assert [(row["id"], row["status"]) for row in rows] == [("first", "ok"), ("", "error")]
    whole = trained.run("predict", "mols", "mols.csv", "-o", "file.csv")
    assert whole.out.strip() == "4 rows = 3 predicted + 1 explained; written to file.csv"
    assert len((tmp_path / "file.csv").read_text().splitlines()) == 5
    row = trained.json("predict", "mols", '{"tenure": 3}')
    assert row[0]["input"] == {"tenure": 3}


def test_aliases_go_back_to_the_version_before(trained):
    trained.run("models", "promote", "mols:1")
    trained.run("train", "mols", "--target", "y", "--alias", "champion")
    assert "mols:2" in trained.run("models", "names", "mols").out.replace("→ ", "mols:")
    back = trained.run("models", "rollback", "mols")
    assert back.out.strip() == "mols@champion is mols:1 again"
    assert trained.run("models", "rollback", "mols").code == 2
    assert trained.run("models", "rollback", "mols", "--alias", "no").code == 4
    assert trained.run("models", "unalias", "mols", "champion").code == 0
    assert trained.json("models", "names", "mols")[0]["aliases"] == []


def test_a_model_is_measured(trained):
    shown = trained.run("evaluate", "mols")
    assert re.search(r"y +rmse +\d", shown.out)
    assert next_of(shown.out) == [["models", "evaluations", "mols"]]
    assert re.search(r"test +y +rmse +\d", trained.run(*next_of(shown.out)[0]).out)


def test_a_model_and_a_report_are_written_to_files(trained, tmp_path):
    assert trained.run("models", "files", "mols", "there").code == 0
    assert {p.name for p in (tmp_path / "there").iterdir()} == {
        *("manifest.json", "metrics.json", "parity.svg")
    }
    assert trained.run("data", "report", "mols", "--html", "r.html").code == 0
    assert "<html" in (tmp_path / "r.html").read_text()


def test_a_manifest_cannot_write_outside_of_the_folder(tmp_path):
    evil = {"files": {"../outside.txt": "0" * 64}}
    transport = httpx.MockTransport(lambda _: httpx.Response(200, json=evil))
    with pytest.raises(ValueError, match="outside"):
        Retort("http://x", "k", transport=transport).models.files("m", tmp_path / "in")
    assert not (tmp_path / "outside.txt").exists()


def test_a_workflow_is_one_file(trained, tmp_path):
    jobs = {
        "search": {"kind": "optimize", "params": {"dataset": "mols", "targets": ["y"]}},
        "train": {
            "kind": "train",
            "needs": ["search"],
            "params": {
                "dataset": "mols",
                "targets": ["y"],
                "algorithm": {"name": "lightgbm", "params": {"$from": "search.result.best_params"}},
            },
        },
    }
    (tmp_path / "flow.json").write_text(json.dumps(jobs))
    shown = trained.run("workflow", "run", "flow.json")
    assert shown.code == 0, shown.err
    (command,) = next_of(shown.out)
    found = trained.json(*command)
    params = found["jobs"]["train"]["params"]["algorithm"]["params"]
    assert params == {"n_estimators": 500}
    assert trained.run("workflow", "run", "flow.json", "--dry-run").out.startswith("curl")


def test_login_is_kept_for_its_owner_alone(shell, monkeypatch, tmp_path):
    monkeypatch.setattr("retort.cli.cluster.Retort", lambda url, key: FakeRetort(shell.server))
    assert shell.run("login", "--url", "http://fake.retort", "--key", "rt_secret").code == 0
    assert "rt_secret" not in shell.out + shell.err
    stored = tmp_path / "config" / "retort" / "client.json"
    assert json.loads(stored.read_text()) == {"url": "http://fake.retort", "api_key": "rt_secret"}
    assert stored.stat().st_mode & 0o077 == 0
    assert "fake" in shell.run("whoami").out
    shell.server.trouble_next(401)
    stored.unlink()
    assert shell.run("login", "--url", "http://fake.retort", "--key", "wrong").code == 2
    assert not stored.exists()


def test_without_a_server_beside_it_up_says_how(shell, monkeypatch):
    monkeypatch.setattr("retort.cli.cluster.find_spec", lambda _: None)
    assert shell.run("up").code == 2
    assert "make up" in shell.err
    assert "retort login" in shell.err
    monkeypatch.setattr("retort.cli.reference.find_spec", lambda _: None)
    assert shell.run("demo", "data").code == 4


def test_up_and_down_are_the_embedded_clusters(shell, monkeypatch):
    asked = []
    monkeypatch.setattr("subprocess.call", lambda command, cwd: asked.append(command[2:]) or 0)
    assert shell.run("up").code == 0
    assert shell.run("down").code == 0
    assert asked == [["workers.embedded", "up"], ["workers.embedded", "down"]]


def test_example_data_is_copied(shell, tmp_path):
    assert "esol.csv" in shell.run("demo", "data").out
    shown = shell.run("demo", "data", "freesolv")
    assert (tmp_path / "freesolv.csv").stat().st_size > 10_000
    assert next_of(shown.out) == [["data", "push", "freesolv.csv"]]
    assert shell.run("demo", "data", "nothing").code == 4


def test_names_that_look_like_markup_or_options_survive(shell, tmp_path):
    (tmp_path / "odd.csv").write_text("smiles,[red]y z[/red]\nCCO,1\nCCC,2\n")
    shown = shell.run("data", "push", "odd.csv", "--target", "[red]y z[/red]", "--yes")
    assert "[red]y z[/red]" in shown.out
    assert next_of(shown.out) == [["train", "odd", "--target", "[red]y z[/red]"]]


def test_a_terminal_is_not_driven_by_what_files_contain(shell, tmp_path):
    (tmp_path / "evil.csv").write_text("smiles,\x1b[2Jy\nCCO,1\nC\x1b]0;x\x07C(,2\nCCC,3\n")
    shown = shell.run("data", "push", "evil.csv", "--target", "\x1b[2Jy")
    assert shown.code == 0, shown.err
    assert "\x1b" not in shown.out + shown.err
    assert "\x1b" not in shell.run("data", "rejected", "evil").out
    assert "\x1b" not in shell.run("train", "evil", "--target", "\x1b[3Jn").err


def test_a_key_is_never_shown(monkeypatch):
    monkeypatch.setenv("RETORT_URL", "http://x")
    monkeypatch.setenv("RETORT_API_KEY", "rt_secret")
    client = Retort()
    for shown in (repr(find_config()), repr(client), repr(vars(client)), client.curl.about()):
        assert "rt_secret" not in shown


def test_every_command_takes_json():
    from typer.main import get_command

    def leaves(command, path=()):
        if hasattr(command, "commands"):
            for name, child in command.commands.items():
                yield from leaves(child, (*path, name))
        else:
            yield path, command

    without = {
        path
        for path, command in leaves(get_command(app))
        if "--json" not in {o for p in command.params for o in p.opts}
    }
    programs = {("up",), ("down",), ("run-bundle",)}
    assert without == programs, "these only start a program of the server"


def test_a_gate_shows_its_table_and_the_way_back_needs_none(trained):
    trained.run("train", "mols", "--target", "y")
    assert trained.run("models", "promote", "mols:1").code == 0
    assert "mols@champion" in trained.run("models", "policy", "mols", "--metric", "rmse").out
    told = trained.run("train", "mols", "--target", "y", "--alias", "champion").out
    assert "@champion stays where it is: mols@champion has a policy" in told
    assert trained.run("models", "promote", "mols:2").code == 2
    assert re.search(r"evaluated +failed +mols:2 has no evaluation", trained.out)
    assert "retort evaluate mols:2" in trained.err
    assert trained.run("evaluate", "mols:2").code == 0
    assert "mols@champion is mols:2 now" in trained.run("models", "promote", "mols:2").out
    assert re.search(r"evaluated +passed", trained.out)
    back = trained.run("models", "rollback", "mols", "--note", "wrong units")
    assert back.out.strip() == "mols@champion is mols:1 again"
    newest = trained.run("models", "history", "mols").out.splitlines()
    assert any(re.search(r"@champion +rolled_back +2 → 1 +wrong units", line) for line in newest)
    assert trained.run("models", "rollback", "mols").code == 2
    assert trained.run("models", "archive", "mols:1").code == 2
    assert "mols@champion" in trained.err


def test_what_is_said_of_a_version_and_of_a_name(trained):
    said = ("--label", "team=a", "--semver", "1.0.0", "--description", "of the spring")
    assert trained.run("models", "tag", "mols:1", *said).out.strip() == (
        "mols:1  team=a, 1.0.0, of the spring"
    )
    assert [m["ref"] for m in trained.json("models", "ls", "--label", "team=a")] == ["mols:1"]
    assert trained.json("models", "ls", "--label", "team=b") == []
    assert "team" not in trained.run("models", "tag", "mols:1", "--label", "team=").out
    assert trained.run("models", "tag", "mols", "--description", "Solubility").code == 0
    assert trained.json("models", "names", "mols")[0]["description"] == "Solubility"
    assert trained.run("models", "tag", "mols", "--semver", "1.0.0").code == 2
    assert "data set mols:1" in trained.run("models", "lineage", "mols:1").out
