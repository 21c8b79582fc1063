"""RETORT_ variables: secrets out of files, and no mistyped name is passed over."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from app.core.settings import Settings, get_settings
from app.core.variables import check_variables, is_secret, known_variables, variables_of

ROOT = Path(__file__).resolve().parents[3]
KEY = "A" * 43 + "="
SECRETS = [name for name, field in Settings.model_fields.items() if is_secret(field)]


@pytest.fixture(autouse=True)
def no_variables(monkeypatch):
    for variable in known_variables(Settings):
        monkeypatch.delenv(variable, raising=False)


@pytest.mark.parametrize("name", SECRETS)
def test_every_secret_may_come_from_a_file(name, tmp_path, monkeypatch):
    for number, variable in enumerate(variables_of(name, Settings.model_fields[name])):
        path = tmp_path / str(number)
        long = f"secret {number} of 32 characters or more"
        value = {"storage_key": KEY, "signing_key": KEY, "webhook_keys": long}.get(
            name, f"secret {number}"
        )
        path.write_text(f"{value}\n")
        monkeypatch.setenv(f"{variable}_FILE", str(path))
        settings = Settings()
        assert getattr(settings, name) == value
        assert value not in repr(settings)
        monkeypatch.delenv(f"{variable}_FILE")


def test_there_are_secrets():
    assert {"database_url", "redis_url", "broker_url", "s3_key", "s3_secret"} <= set(SECRETS)


@pytest.mark.parametrize("wrong", [{"webhook_keys": "hunter2"}, {"lease_seconds": 1}])
def test_settings_that_are_refused_tell_no_secret(wrong):
    """Neither the refused one nor those beside it, which a rule of several settings would print."""
    with pytest.raises(ValueError, match=next(iter(wrong))) as caught:
        Settings(**{"s3_secret": "hunter2", **wrong})
    assert "hunter2" not in str(caught.value)


def test_both_the_secret_and_its_file_are_refused(tmp_path, monkeypatch):
    (tmp_path / "s").write_text("b")
    monkeypatch.setenv("RETORT_S3_SECRET", "a")
    monkeypatch.setenv("RETORT_S3_SECRET_FILE", str(tmp_path / "s"))
    with pytest.raises(ValueError, match="RETORT_S3_SECRET_FILE are both set: unset one"):
        Settings()


def test_a_file_that_is_not_there_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("RETORT_DATABASE_URL_FILE", str(tmp_path / "gone"))
    with pytest.raises(ValueError, match=r"DATABASE_URL_FILE: .*gone cannot be read: No such"):
        Settings()


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """RETORT_SECRETS_DIR as a container mounts it; other programs' secrets lie there too."""
    monkeypatch.setenv("RETORT_SECRETS_DIR", str(tmp_path))
    (tmp_path / "postgres_password").write_text("x")
    (tmp_path / "..data").mkdir()
    get_settings.cache_clear()
    yield tmp_path
    get_settings.cache_clear()


@pytest.mark.parametrize("name", ["retort_s3_secret", "RETORT_S3_SECRET"])
def test_a_folder_of_secrets_is_read(folder, name):
    (folder / name).write_text("sesame\n")
    assert get_settings().s3_secret == "sesame"


def test_a_named_file_goes_before_the_folder(folder, tmp_path, monkeypatch):
    (folder / "retort_s3_secret").write_text("of the folder")
    (tmp_path / "mine").write_text("named")
    monkeypatch.setenv("RETORT_S3_SECRET_FILE", str(tmp_path / "mine"))
    assert get_settings().s3_secret == "named"


def test_a_mistyped_file_of_the_folder_is_not_passed_over(folder):
    """Else blobs would be stored unsealed, and nobody told."""
    (folder / "retort_storage_kye").write_text("A" * 43 + "=")
    with pytest.raises(ValueError, match=r"retort_storage_kye: did you mean retort_storage_key\?"):
        get_settings()


def test_a_folder_that_is_not_there_is_named(folder, monkeypatch):
    monkeypatch.setenv("RETORT_SECRETS_DIR", str(folder / "gone"))
    with pytest.raises(ValueError, match=r"RETORT_SECRETS_DIR: .*gone is no folder"):
        get_settings()


def test_what_is_no_secret_has_no_file():
    assert "RETORT_LOG_LEVEL_FILE" not in known_variables(Settings)


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("RETORT_DATABSE_URL", "did you mean RETORT_DATABASE_URL?"),
        ("RETORT_MAX_TRAILS", "did you mean RETORT_MAX_TRIALS?"),
        ("RETORT_QQQQQQQQ", "docs/settings.md lists all"),
    ],
)
def test_a_mistyped_name_is_an_error_with_the_nearest_one(typed, meant, monkeypatch):
    monkeypatch.setenv(typed, "1")
    get_settings.cache_clear()
    with pytest.raises(ValueError, match=re.escape(f"nothing reads the variable {typed}: {meant}")):
        get_settings()
    get_settings.cache_clear()


def test_every_process_says_so_at_its_start(monkeypatch):
    monkeypatch.setenv("RETORT_S3_BUKET", "x")
    for module in ("api.main; api.main.create_api()", "workers.celery_app"):
        done = subprocess.run(
            [sys.executable, "-c", f"import {module}"], capture_output=True, text=True, check=False
        )
        assert done.returncode != 0
        assert "did you mean RETORT_S3_BUCKET?" in done.stderr


_CODE = [
    f"{folder.name}/**/*.py" for folder in ROOT.iterdir() if (folder / "__init__.py").exists()
] + ["client/**/*.py", "migrations/**/*.py", "examples/**/*.py"]


def test_what_the_repository_sets_is_known():
    """Of the compose file, the Makefile, deploy/, the guides and the code itself."""
    found: set[str] = set()
    # no folder that begins with a dot: environments hold a hundred thousand files
    for pattern in ("docker-compose.yml", "Makefile", "deploy/**/*", "docs/**/*.md", *_CODE):
        for path in ROOT.glob(pattern):
            if path.is_file() and path != Path(__file__) and path.suffix not in (".png", ".ico"):
                text = path.read_text(errors="replace")
                found.update(re.findall(r"\bRETORT_[A-Z0-9]+(?:_[A-Z0-9]+)*\b(?!_)", text))
    found -= {"RETORT_X", "RETORT_X_FILE", "RETORT_FAULT", "RETORT_TEST", "RETORT_PLUGIN"}
    assert len(found) > 40
    check_variables(found, Settings)


def test_other_variables_are_nobody_s_business():
    kubernetes = ["SERVICE_HOST", "SERVICE_PORT", "SERVICE_PORT_HTTP", "PORT", "PORT_8000_TCP_ADDR"]
    check_variables([f"RETORT_GATEWAY_{name}" for name in kubernetes], Settings)
    check_variables(["PATH", "RETORTED", "RETORT_TEST_X", "RETORT_FAULT_LOGS"], Settings)
