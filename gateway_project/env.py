"""Typed readers of environment variables. Nonsense is refused with one line that names the variable."""

import os
from collections.abc import Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from gateway_project.shared.durations import parse_duration_s

_TRUE = {"1", "true", "yes", "on"}
_FALSE = {"0", "false", "no", "off"}


class SettingError(Exception):
    """A setting that cannot be used. The text is one line for the operator: what is wrong and what to do."""


@dataclass(frozen=True, slots=True)
class Variable:
    """A variable that was asked for; docs/settings.md lists each. default: as an operator would write it."""

    name: str
    default: str


@dataclass(slots=True)
class Environment:
    """Reads variables and remembers which; an empty value counts as not set."""

    values: Mapping[str, str]
    variables: dict[str, Variable] = field(default_factory=dict)

    def text(self, name: str, default: str = "") -> str:
        self.variables[name] = Variable(name, default)
        return self.values.get(name, "").strip() or default

    def secret(self, name: str, default: str = "") -> str:
        """The variable itself, or the content of the file that NAME_FILE names."""
        value = self.text(name, default)
        file_name = self.values.get(f"{name}_FILE", "").strip()
        if not file_name:
            return value
        if self.values.get(name, "").strip():
            raise SettingError(f"{name} and {name}_FILE are both set: keep one.")
        try:
            return Path(file_name).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise SettingError(f"{name}_FILE: cannot read {file_name}: {_reason(error)}.") from error

    def integer(self, name: str, default: int, *, minimum: int = 0, maximum: int = 2**53) -> int:
        text = self.text(name, str(default))
        try:
            value = int(text)
        except ValueError as error:
            raise SettingError(f"{name} must be a whole number, not {text!r}.") from error
        if not minimum <= value <= maximum:
            raise SettingError(f"{name} must be between {minimum} and {maximum}, not {value}.")
        return value

    def port(self, name: str, default: int) -> int:
        return self.integer(name, default, minimum=1, maximum=65535)

    def flag(self, name: str, default: bool) -> bool:
        text = self.text(name, "true" if default else "false").lower()
        if text not in _TRUE | _FALSE:
            raise SettingError(f"{name} must be true or false, not {text!r}.")
        return text in _TRUE

    def duration_s(self, name: str, default: str, *, minimum_s: float = 0.001) -> float:
        """Seconds of a duration such as `500ms`, `30s` or `10m`."""
        text = self.text(name, default)
        try:
            value = parse_duration_s(text)
        except ValueError as error:
            raise SettingError(f"{name}: {error}.") from error
        if value < minimum_s:
            raise SettingError(f"{name} must be at least {minimum_s:g}s, not {text}.")
        return value

    def choice(self, name: str, default: str, choices: Sequence[str]) -> str:
        text = self.text(name, default)
        if text and text not in choices:
            raise SettingError(f"{name} must be {' or '.join(choices)}, not {text!r}.")
        return text

    def words(self, name: str, default: str = "") -> tuple[str, ...]:
        """The comma-separated parts, stripped, without empty ones."""
        return tuple(word.strip() for word in self.text(name, default).split(",") if word.strip())

    def url(self, name: str, default: str = "", *, schemes: Sequence[str]) -> str:
        """A URL with one of the schemes, or empty. Its text never appears in the error: it may hold a password."""
        return self._checked_url(name, self.secret(name, default), schemes)

    def urls(self, name: str, *, schemes: Sequence[str]) -> tuple[str, ...]:
        """One or several URLs, separated by commas."""
        parts = (part.strip() for part in self.secret(name).split(","))
        return tuple(self._checked_url(name, part, schemes) for part in parts if part)

    def origins(self, name: str, default: str = "") -> tuple[str, ...]:
        """Comma-separated http(s) origins without path; `*` is kept as it is, `none` is nothing."""
        origins = []
        for word in self.words(name, default):
            if word == "none":
                continue
            parts = urlsplit(word)
            if word != "*" and (
                parts.scheme not in {"http", "https"} or not parts.hostname or parts.path not in {"", "/"}
            ):
                raise SettingError(f"{name} must list origins such as https://example.com, not {word!r}.")
            origins.append(word.rstrip("/"))
        return tuple(origins)

    def _checked_url(self, name: str, text: str, schemes: Sequence[str]) -> str:
        if text and (text.split(":", 1)[0].lower() not in schemes or ":" not in text):
            raise SettingError(f"{name} must begin with {' or '.join(f'{scheme}://' for scheme in schemes)}.")
        return text


def read_env_file(path: Path) -> dict[str, str]:
    """NAME=value lines; `#` lines, `export ` and one pair of quotes are understood. {} when there is no file."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise SettingError(f"cannot read {path}: {_reason(error)}.") from error
    values = {}
    for number, raw in enumerate(lines, 1):
        line = raw.strip().removeprefix("export ").strip()
        if not line or line.startswith("#"):
            continue
        name, equals, value = line.partition("=")
        if not equals or not name.strip().isidentifier():
            raise SettingError(f"{path}, line {number}: expected NAME=value.")
        values[name.strip()] = _unquoted(value.strip())
    return values


def load_env_file(path: Path, environ: MutableMapping[str, str] = os.environ) -> None:
    """Add what the file sets and the environment does not: libraries (boto3) read the environment themselves."""
    for name, value in read_env_file(path).items():
        environ.setdefault(name, value)


def _is_origin(word: str) -> bool:
    parts = urlsplit(word)
    return parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.path in {"", "/"}


def _unquoted(value: str) -> str:
    if len(value) >= 2 and value[0] == value[-1] and value[0] in "\"'":
        return value[1:-1]
    return value.split(" #", 1)[0].rstrip()


def _reason(error: OSError | UnicodeDecodeError) -> str:
    return error.strerror or type(error).__name__ if isinstance(error, OSError) else "not UTF-8"
