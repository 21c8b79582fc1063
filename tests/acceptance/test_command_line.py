"""A person at a shell, from their file to a trusted prediction, on the real cluster."""

import csv
import json
import re
import shlex
import signal
import subprocess
import sys
import time

import pytest

from tests.support.molecules import DATA

pytestmark = pytest.mark.req("goal-99")
COMMAND = [sys.executable, "-c", "from retort.cli import main; main()"]
CHEAP = ("--algorithm", "ridge", "--features", "maccs")


class Shell:
    def __init__(self, cluster, folder):
        self.environment, self.folder = cluster.environment, folder

    def start(self, *words):
        # a shell that runs the tests in the background has made all below it deaf to Ctrl-C
        return subprocess.Popen(
            ["env", "--default-signal=INT", *COMMAND, *map(str, words)],
            env=self.environment,
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *words, code=0):
        process = self.start(*words)
        out, err = process.communicate(timeout=300)
        assert process.returncode == code, out + err
        return out, err

    def json(self, *words):
        return json.loads(self.run(*words, "--json")[0])


@pytest.fixture(scope="module")
def shell(cluster, tmp_path_factory):
    return Shell(cluster, tmp_path_factory.mktemp("shell"))


@pytest.fixture(scope="module")
def pushed(shell):
    return shell.run("data", "push", DATA / "freesolv.csv", "--target", "expt", "--name", "fs")


@pytest.fixture(scope="module")
def trained(shell, pushed):
    return shell.run("train", "fs", "--target", "expt", *CHEAP, "--label", "suite=shell")


def next_of(text):
    lines = [line[6:] for line in text.splitlines() if line.startswith("next: ")]
    return [shlex.split(command)[1:] for line in lines for command in line.split("   |   ")]


def test_what_is_shown_leads_from_the_file_to_a_prediction(shell, pushed, trained):
    out, err = pushed
    assert "otherwise: --target COLUMN" in out
    assert re.search(r"expt +target +number", out)
    assert "642 rows in = " in out
    assert "ingest: succeeded" in err
    assert ["train", "fs", "--target", "expt"] in next_of(out)
    (predict, promote) = next_of(trained[0])
    assert "rmse" in trained[0]
    assert re.search(r"CCO +-?\d+\.\d+ +\[-?\d", shell.run(*predict)[0])
    assert shell.run(*promote)[0].strip() == "fs@champion is fs:1 now"
    assert shell.json("models", "show", "fs@champion")["aliases"] == ["champion"]


def test_a_file_of_molecules_is_predicted_row_by_row(shell, trained):
    (shell.folder / "in.csv").write_text("smiles\nCCO\nnope(\nc1ccccc1\n")
    out, _ = shell.run("predict", "fs", "in.csv", "-o", "out.csv")
    assert out.strip().endswith("3 rows = 2 predicted + 1 explained; written to out.csv")
    rows = list(csv.DictReader((shell.folder / "out.csv").read_text().splitlines()))
    assert [row["status"] for row in rows] == ["ok", "error", "ok"]


def test_a_job_is_rerun_with_edits_that_are_shown(shell, trained):
    (job,) = shell.json("jobs", "ls", "--label", "suite=shell", "--limit", "1")
    edit = ("--set", "algorithm.params.alpha=30")
    dry, _ = shell.run("jobs", "rerun", job["id"], *edit, "--dry-run")
    assert re.search(r"/params/algorithm/params/alpha: \S+ → 30", dry)
    assert "nothing was submitted" in dry
    out, _ = shell.run("jobs", "rerun", job["id"], *edit)
    (follow,) = next_of(out)
    assert shell.run(*follow)[0].strip() == "train succeeded"
    again = shell.json("jobs", "show", follow[2])
    assert again["rerun_of"] == job["id"]
    assert again["params"]["algorithm"]["params"] == {"alpha": 30}


def test_many_jobs_are_counted_before_they_are_changed(shell, trained):
    wrong = ("train", "fs", "--target", "nope", *CHEAP, "--label", "suite=wrong")
    _, err = shell.run(*wrong, code=1)
    assert "→" in err
    filters = ("--state", "failed", "--where", "suite=wrong")
    out, _ = shell.run("jobs", "bulk", "retry", *filters, "--dry-run")
    assert out.strip() == "1 jobs match, 1 would change (retry)"
    (job,) = shell.json("jobs", "ls", "--label", "suite=wrong")
    assert (job["state"], job["attempt"]) == ("failed", 1)


@pytest.mark.req("goal-12")
def test_logs_are_read_and_searched(shell, trained):
    (job,) = shell.json("jobs", "ls", "--label", "suite=shell", "--limit", "1")
    out, _ = shell.run("jobs", "logs", job["id"])
    assert out.strip()
    word = out.split()[-1]
    assert word in shell.run("jobs", "logs", job["id"], "--search", word)[0]


def test_a_dry_run_does_in_a_shell_what_the_command_would(shell, trained, cluster):
    out, _ = shell.run("train", "fs", "--target", "expt", *CHEAP, "--name", "by-curl", "--dry-run")
    key = json.loads((cluster.home / "client.json").read_text())["api_key"]
    assert key not in out
    environment = {**cluster.environment, "RETORT_API_KEY": key}
    sent = [
        subprocess.run(
            ["bash", "-c", out], env=environment, capture_output=True, text=True, check=True
        )
        for _ in range(2)
    ]
    first, again = (json.loads(done.stdout) for done in sent)
    assert first["id"] == again["id"], "the key in the command makes a second paste harmless"
    shell.run("jobs", "wait", first["id"])
    assert shell.json("models", "show", "by-curl")["job_id"] == first["id"]


def test_interruption_detaches_and_the_job_runs_on(shell, trained):
    process = shell.start(
        *("train", "fs", "--target", "expt", "--features", "maccs"),
        *("--algorithm", "random_forest", "--set", "n_estimators=2000"),
    )
    said = ""
    while "train: running" not in said:
        line = process.stderr.readline()
        assert line, said
        said += line
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130, said + err
    assert "the job runs on" in err
    job_id = re.search(r"retort jobs follow (\S+)", err)[1]
    time.sleep(1)
    assert shell.json("jobs", "show", job_id)["state"] in ("running", "succeeded")
    shell.run("jobs", "wait", job_id)


def test_the_doctor_finds_nothing_to_mend(shell):
    found = {finding["name"]: finding for finding in shell.json("doctor")}
    assert {"configuration", "server", "stores", "key", "workers", "disk"} <= found.keys()
    assert not [finding for finding in found.values() if finding["state"] == "fail"]


def test_a_model_is_measured_on_its_test_rows(shell, trained):
    out, _ = shell.run("evaluate", "fs", "--bootstrap", "50")
    assert re.search(r"expt +rmse +\d+\.\d+ \[", out)
    assert next_of(out) == [["models", "evaluations", "fs"]]
    assert re.search(r"test +expt +rmse +\d", shell.run("models", "evaluations", "fs")[0])


def test_exit_codes_and_problem_pages(shell, trained, cluster):
    _, err = shell.run("models", "show", "nothing", code=4)
    assert re.search(r"http://\S+/problems/not_found", err)
    _, err = shell.run("catalog", "algorithms", "lightgbn", code=2)
    assert "lightgbm" in err
    away = Shell(cluster, shell.folder)
    away.environment = {**cluster.environment, "RETORT_URL": "http://127.0.0.1:9"}
    away.environment["RETORT_API_KEY"] = "rt_x"
    _, err = away.run("whoami", code=3)
    assert "cannot be reached" in err
