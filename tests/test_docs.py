"""The documents say what the code does."""

import re
from pathlib import Path

from gateway_project.env import Environment, read_env_file
from gateway_project.settings import ENV

ROOT = Path(__file__).resolve().parents[1]
ROW = re.compile(r"^\| `([A-Z][A-Z0-9_]+)` \|(?: `([^`]*)`)? *\|", re.MULTILINE)
# The environment of this test run decided these.
_DEPENDENT = {"GATEWAY_LOG_MODE"}


def documented() -> dict[str, str]:
    text = (ROOT / "docs" / "settings.md").read_text().partition("## Coming from BricksLLM")[0]
    return {name: default or "" for name, default in ROW.findall(text)}


def test_every_variable_is_documented_with_its_default() -> None:
    read = {variable.name: variable.default for variable in ENV.variables.values()}
    assert {name: default for name, default in documented().items() if name not in _DEPENDENT} == {
        name: default for name, default in read.items() if name not in _DEPENDENT
    }
    assert documented().keys() == read.keys()


def test_the_example_file_names_variables_that_exist_and_changes_nothing() -> None:
    path = ROOT / ".env.example"
    commented = re.findall(r"^# ([A-Z][A-Z0-9_]+)=", path.read_text(), re.MULTILINE)
    assert read_env_file(path) == {}
    assert set(commented) <= set(documented())
    assert len(commented) == len(set(commented))
    defaults = documented()
    for name, value in re.findall(r"^# ([A-Z][A-Z0-9_]+)=(\S*)", path.read_text(), re.MULTILINE):
        assert value in {defaults[name], ""}, name


def test_every_secret_may_come_from_a_file() -> None:
    text = (ROOT / "docs" / "settings.md").read_text()
    secret = {name for name in documented() if re.search(rf"^\| `{name}` .*\*Secret\.\*", text, re.MULTILINE)}
    for name in secret:
        assert _reads_file(name), name


def _reads_file(name: str) -> bool:
    source = "".join((ROOT / "gateway_project" / file).read_text() for file in _READERS)
    return bool(re.search(rf'\b(?:secret|url|urls)\(\s*"{name}"', source))


_READERS = ("settings.py", "database_settings.py", "redis_settings.py")


def test_every_problem_code_is_documented() -> None:
    path = ROOT / "docs" / "problems.md"
    source = "\n".join(file.read_text() for package in _PACKAGES for file in (ROOT / package).rglob("*.py"))
    codes = set(re.findall(r'(?:default_code(?:: ClassVar\[str\])?|\bcode) ?= ?"([a-z_]+)"', source))
    text = path.read_text()
    assert [code for code in sorted(codes) if f"`{code}`" not in text] == []


_PACKAGES = ("gateway_project", "keys", "policies", "providers", "proxy", "reporting", "routes")


def test_environment_remembers_each_variable_once() -> None:
    environment = Environment({})
    environment.text("NAME")
    environment.text("NAME")
    assert list(environment.variables) == ["NAME"]
