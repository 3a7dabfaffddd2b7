"""GJSON paths over parsed JSON: which part of a document a path means. Source: GJSON Path Syntax, by tidwall.

What is here: members (`a.b`), wildcards (`a*`, `b?`), indexes (`a.0`), the length of an array (`a.#`), every element
(`a.#.b`, also one within another), the first or all elements that meet a condition (`a.#(b=="c").d`, `a.#(b>1)#.d`),
and a backslash before a character that is meant as it is. What is not: modifiers, pipes, multipaths, literals and
JSON lines. They are refused when a path is parsed, so that none is misread later.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Protocol

MAX_CHARACTERS = 512
_PATHS_KEPT = 4096
_OPERATORS = ("!=", "!%", "<=", ">=", "==", "<", ">", "=", "%")
_TRUTHS = ("*", "null", "true", "false")
# At the beginning of a part these mean something that is not served here.
_NOT_SERVED = {"@": "a modifier", "!": "a literal", "{": "a multipath", "[": "a multipath"}
_TRUE_WORDS = frozenset({"1", "t", "true"})
_FALSE_WORDS = frozenset({"", "0", "f", "false"})


class Missing:
    """The one value of MISSING: the path leads to nothing. A JSON null is something."""

    def __bool__(self) -> bool:
        return False

    def __repr__(self) -> str:
        return "MISSING"


MISSING = Missing()


class _Step(Protocol):
    """One part of a path. `rest` is what follows it."""

    def get(self, value: Any, rest: "Steps") -> Any: ...


Steps = tuple[_Step, ...]


@dataclass(frozen=True, slots=True)
class GjsonPath:
    """A parsed path."""

    text: str
    steps: Steps

    def get(self, document: Any) -> Any:
        """What the path leads to, MISSING when it leads nowhere."""
        return _follow(document, self.steps)


def _follow(value: Any, steps: Steps) -> Any:
    return steps[0].get(value, steps[1:]) if steps else value


@dataclass(frozen=True, slots=True)
class _Member:
    """A member of an object, or by number an element of an array."""

    name: str

    def get(self, value: Any, rest: Steps) -> Any:
        if isinstance(value, dict):
            return _follow(value[self.name], rest) if self.name in value else MISSING
        if isinstance(value, list) and self.name.isascii() and self.name.isdigit():
            # No array is longer than what nine digits tell.
            index = int(self.name) if len(self.name) < 10 else len(value)
            return _follow(value[index], rest) if index < len(value) else MISSING
        return MISSING


@dataclass(frozen=True, slots=True)
class _Wildcard:
    """The first member of an object whose name is like the pattern."""

    pattern: str

    def get(self, value: Any, rest: Steps) -> Any:
        if isinstance(value, dict):
            for name, member in value.items():
                if is_like(name, self.pattern):
                    return _follow(member, rest)
        return MISSING


@dataclass(frozen=True, slots=True)
class _Each:
    """`#`: at the end the length of an array, else the rest of every element that has it."""

    def get(self, value: Any, rest: Steps) -> Any:
        if isinstance(value, dict):
            return _Member("#").get(value, rest)
        if not isinstance(value, list):
            return MISSING
        if not rest:
            return len(value)
        found = (_follow(element, rest) for element in value)
        return [each for each in found if each is not MISSING]


@dataclass(frozen=True, slots=True)
class _Query:
    """`#(…)`: the first element that meets the condition; with another `#` after it all of them.

    operator "": the inner path only has to lead somewhere. truth: compared is whether the value is like it (`~true`).
    """

    inner: Steps
    operator: str
    operand: str
    truth: str
    all: bool

    def get(self, value: Any, rest: Steps) -> Any:
        if not isinstance(value, list):
            return MISSING
        matching = (element for element in value if self._meets(element))
        if self.all:
            found = (_follow(element, rest) for element in matching)
            return [each for each in found if each is not MISSING]
        first = next(matching, MISSING)
        return MISSING if first is MISSING else _follow(first, rest)

    def _meets(self, element: Any) -> bool:
        nested = isinstance(element, dict | list)
        if self.inner and not nested:
            return False
        # An empty inner path means the element itself, which an object or array cannot be compared by.
        value = _follow(element, self.inner) if self.inner else (MISSING if nested else element)
        if self.truth:
            return _compare(_is_like_truth(value, self.truth), self.operator, "true")
        if value is MISSING:
            return False
        return not self.operator or _compare(value, self.operator, self.operand)


def _is_like_truth(value: Any, truth: str) -> bool:
    if truth == "*":
        return value is not MISSING
    if value is MISSING or value is None:
        return truth in ("null", "false")
    if truth == "null" or isinstance(value, dict | list):
        return False
    if isinstance(value, bool):
        return value is (truth == "true")
    if isinstance(value, str):
        return value.lower() in (_TRUE_WORDS if truth == "true" else _FALSE_WORDS)
    return (value != 0) is (truth == "true")


def _compare(value: Any, operator: str, operand: str) -> bool:
    if isinstance(value, str):
        return _compare_text(value, operator, operand)
    if isinstance(value, bool):
        # Of the two truths false is the lesser. What is neither is compared by nobody.
        if operator in ("=", "!="):
            return (operand == str(value).lower()) is (operator == "=")
        if (operator, value) in ((">=", True), ("<=", False)):
            return True
        return (operator, value, operand) in ((">", True, "false"), ("<", False, "true"))
    if isinstance(value, int | float):
        return _ordered(value, operator, _number(operand))
    return False


def _compare_text(value: str, operator: str, operand: str) -> bool:
    if operator in ("%", "!%"):
        return is_like(value, operand) is (operator == "%")
    return _ordered(value, operator, operand)


def _ordered(value: Any, operator: str, operand: Any) -> bool:
    match operator:
        case "=":
            return bool(value == operand)
        case "!=":
            return bool(value != operand)
        case "<":
            return bool(value < operand)
        case "<=":
            return bool(value <= operand)
        case ">":
            return bool(value > operand)
        case ">=":
            return bool(value >= operand)
    return False


def _number(operand: str) -> float:
    try:
        return float(operand)
    except ValueError:
        return 0.0


def is_like(text: str, pattern: str) -> bool:
    """Whether all of a text is like a pattern with `*` and `?`. Takes at most their lengths' product of steps."""
    tokens = _pattern_tokens(pattern)
    at = token = 0
    star, resume = -1, 0
    while at < len(text):
        if token < len(tokens) and tokens[token] == (True, "*"):
            star, resume, token = token, at, token + 1
        elif token < len(tokens) and tokens[token] in ((True, "?"), (False, text[at])):
            at, token = at + 1, token + 1
        elif star >= 0:
            # The last star takes one character more; those before it need not be tried again.
            token, resume = star + 1, resume + 1
            at = resume
        else:
            return False
    return all(each == (True, "*") for each in tokens[token:])


@lru_cache(_PATHS_KEPT)
def _pattern_tokens(pattern: str) -> tuple[tuple[bool, str], ...]:
    """(is it a wildcard, the character), with escapes undone."""
    tokens = []
    characters = iter(pattern)
    for each in characters:
        if each == "\\":
            tokens.append((False, next(characters, "\\")))
        else:
            tokens.append((each in "*?", each))
    return tuple(tokens)


@lru_cache(_PATHS_KEPT)
def parse_path(text: str) -> GjsonPath:
    """Raises ValueError with a phrase that says what is wrong with the path."""
    if not text:
        raise ValueError("is empty")
    if len(text) > MAX_CHARACTERS:
        raise ValueError(f"is longer than {MAX_CHARACTERS} characters")
    return GjsonPath(text, tuple(_step(part) for part in _parts(text)))


def texts_in(value: Any) -> Iterator[str]:
    """The strings of a value: itself, or those in an array and the arrays in it; of a part its `text`."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for each in value:
            yield from texts_in(each)
    elif isinstance(value, dict):
        yield from texts_in(value.get("text"))


def value_at(path: str, document: Mapping[str, Any] | Sequence[Any]) -> Any:
    """What a path leads to; MISSING for nothing, and for the empty path. Raises ValueError for a bad path."""
    return parse_path(path).get(document) if path else MISSING


def _parts(text: str) -> Iterator[str]:
    """The parts between dots, escapes and queries still in them."""
    begin = at = 0
    while at <= len(text):
        if at == len(text) or text[at] == ".":
            if begin == at:
                raise ValueError("has an empty part")
            yield text[begin:at]
            begin = at = at + 1
        elif text[at] == "|":
            raise ValueError("has a pipe, which is not served here; write a dot")
        elif at == begin and text.startswith("#(", at):
            at = _end_of_query(text, at + 2) + 1
            at += text.startswith("#", at)
            if at < len(text) and text[at] != ".":
                raise ValueError("has something other than a dot after a query")
        else:
            at += 2 if text[at] == "\\" else 1
            if at > len(text):
                raise ValueError("ends with a backslash")


def _end_of_query(text: str, at: int) -> int:
    """Where the bracket stands that closes the query whose content begins here."""
    depth = 1
    while at < len(text):
        each = text[at]
        if each == "\\":
            at += 1
        elif each == '"':
            at = _end_of_quote(text, at + 1)
        elif each in "([":
            depth += 1
        elif each in ")]":
            depth -= 1
            if not depth:
                return at
        at += 1
    raise ValueError("has a query without its closing bracket")


def _end_of_quote(text: str, at: int) -> int:
    while at < len(text) and text[at] != '"':
        at += 2 if text[at] == "\\" else 1
    if at >= len(text):
        raise ValueError("has a quote that is not closed")
    return at


def _step(part: str) -> _Step:
    if part == "#":
        return _Each()
    if part.startswith("#("):
        return _query(part)
    if part[0] == "#":
        raise ValueError("has a part that begins with # and is neither # alone nor a query")
    if part[0] in _NOT_SERVED:
        raise ValueError(f"has {_NOT_SERVED[part[0]]}, which is not served here; a backslash before it makes it a name")
    tokens = _pattern_tokens(part)
    if any(is_wild for is_wild, _ in tokens):
        return _Wildcard(part)
    return _Member("".join(each for _, each in tokens))


def _query(part: str) -> _Query:
    is_all = part.endswith("#")
    content = part[2:-2] if is_all else part[2:-1]
    at = _operator_at(content)
    inner, condition = content[:at].strip(), content[at:]
    operator = next((each for each in _OPERATORS if condition.startswith(each)), "")
    operand = condition[len(operator) :].strip()
    truth = ""
    if operand.startswith("~"):
        truth = operand[1:]
        if truth not in _TRUTHS:
            raise ValueError(f"compares with ~{truth}; there are ~{', ~'.join(_TRUTHS)}")
    if condition and not operator:
        raise ValueError("has a condition with an operator that there is not")
    if not inner and not operator:
        raise ValueError("has an empty query")
    steps = tuple(_step(each) for each in _parts(inner)) if inner else ()
    return _Query(steps, "=" if operator == "==" else operator, _unquoted(operand), truth, is_all)


def _operator_at(content: str) -> int:
    """Where the operator of a query begins: outside of inner queries and quotes. At the end when there is none."""
    at = 0
    while at < len(content):
        each = content[at]
        if each in "!=<>%":
            return at
        if each in "([":
            at = _end_of_query(content, at + 1)
        elif each == '"':
            at = _end_of_quote(content, at + 1)
        elif each == "\\":
            at += 1
        at += 1
    return len(content)


def _unquoted(operand: str) -> str:
    if len(operand) < 2 or operand[0] != '"' or operand[-1] != '"':
        return operand
    return "".join(character for _, character in _pattern_tokens(operand[1:-1])) if "\\" in operand else operand[1:-1]
