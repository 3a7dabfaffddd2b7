from pathlib import Path

import pytest

from gateway_project.env import Environment, SettingError, load_env_file, read_env_file


def env(**values: str) -> Environment:
    return Environment(values)


def test_an_empty_value_counts_as_not_set() -> None:
    assert env(NAME="  ").text("NAME", "default") == "default"


def test_it_remembers_what_was_asked_for_with_its_default() -> None:
    environment = env()
    environment.port("ADMIN_PORT", 8001)
    assert environment.variables["ADMIN_PORT"].default == "8001"


@pytest.mark.parametrize(("text", "seconds"), [("30s", 30.0), ("1h30m", 5400.0), ("500ms", 0.5), ("2d", 172_800.0)])
def test_it_reads_durations(text: str, seconds: float) -> None:
    assert env(WAIT=text).duration_s("WAIT", "1s") == seconds


@pytest.mark.parametrize("text", ["true", "1", "YES", "on"])
def test_it_reads_flags(text: str) -> None:
    assert env(FLAG=text).flag("FLAG", False) is True


@pytest.mark.parametrize(
    ("reader", "text"),
    [
        (lambda e: e.integer("NAME", 1), "many"),
        (lambda e: e.integer("NAME", 1, maximum=5), "6"),
        (lambda e: e.port("NAME", 1), "70000"),
        (lambda e: e.flag("NAME", True), "perhaps"),
        (lambda e: e.duration_s("NAME", "1s"), "soon"),
        (lambda e: e.duration_s("NAME", "1s"), "0"),
        (lambda e: e.choice("NAME", "a", ("a", "b")), "c"),
        (lambda e: e.url("NAME", schemes=("redis",)), "localhost:6379"),
        (lambda e: e.urls("NAME", schemes=("redis",)), "redis://a,mysql://b"),
        (lambda e: e.origins("NAME"), "example.com"),
        (lambda e: e.origins("NAME"), "https://example.com/path"),
    ],
)
def test_nonsense_is_refused_in_one_line_that_names_the_variable(reader: object, text: str) -> None:
    with pytest.raises(SettingError) as caught:
        reader(env(NAME=text))  # type: ignore[operator]
    assert "NAME" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_refused_url_is_not_quoted() -> None:
    with pytest.raises(SettingError) as caught:
        env(DATABASE_URL="mysql://me:hidden@host/db").url("DATABASE_URL", schemes=("postgres",))
    assert "hidden" not in str(caught.value)


def test_a_secret_may_lie_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("from the file\n")
    assert env(ADMIN_PASS_FILE=str(tmp_path / "password")).secret("ADMIN_PASS") == "from the file"


def test_a_secret_given_twice_is_refused(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("one")
    with pytest.raises(SettingError, match="both set"):
        env(ADMIN_PASS="other", ADMIN_PASS_FILE=str(tmp_path / "password")).secret("ADMIN_PASS")


def test_a_secret_file_that_is_missing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="ADMIN_PASS_FILE"):
        env(ADMIN_PASS_FILE=str(tmp_path / "nothing")).secret("ADMIN_PASS")


def test_origins_may_be_every_one_or_none() -> None:
    assert env(ORIGINS="*").origins("ORIGINS") == ("*",)
    assert env(ORIGINS="none").origins("ORIGINS", "*") == ()
    assert env(ORIGINS="https://a.example/, http://b.example:8080").origins("ORIGINS") == (
        "https://a.example",
        "http://b.example:8080",
    )


def test_it_reads_env_files_as_shells_write_them(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    path.write_text('# comment\n\nexport ONE=1\nTWO = "with space"\nTHREE=a=b # why\nFOUR=\n')
    assert read_env_file(path) == {"ONE": "1", "TWO": "with space", "THREE": "a=b", "FOUR": ""}


def test_a_line_that_is_no_assignment_is_refused_with_its_number(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    path.write_text("ONE=1\nnonsense\n")
    with pytest.raises(SettingError, match="line 2"):
        read_env_file(path)


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("ONE=file\nTWO=file\n")
    environ = {"ONE": "environment"}
    load_env_file(tmp_path / ".env", environ)
    assert environ == {"ONE": "environment", "TWO": "file"}


def test_a_missing_file_sets_nothing(tmp_path: Path) -> None:
    assert read_env_file(tmp_path / "nothing") == {}
