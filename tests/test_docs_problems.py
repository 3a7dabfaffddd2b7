"""The documents name what there is: problem codes, decisions, files, commands."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.core.management import get_commands

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("gateway_project", "keys", "policies", "providers", "proxy", "reporting", "routes")
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
DECISIONS = ROOT / "docs" / "adr"
_WRITTEN_OUT = re.compile(r'"code"\s*:\s*"([a-z_]+)"')
_LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
_FENCED = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)


def trees() -> Iterator[ast.Module]:
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            if "migrations" not in path.parts:
                yield ast.parse(path.read_text())


def codes_in(tree: ast.Module) -> set[str]:
    """Codes that a module gives to problems: as `code=`, as `default_code`, as an argument called code, in a body
    that is written out, or through a name of the module that holds one of these."""
    held = {
        target.id: node.value
        for node in tree.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    positions = _code_positions(tree)
    found = (_text(value, held) for node in ast.walk(tree) for value in _code_values(node, positions))
    bodies = (
        code
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str | bytes)
        for code in _WRITTEN_OUT.findall(node.value if isinstance(node.value, str) else node.value.decode("latin-1"))
    )
    return {code for code in (*found, *bodies) if code}


def _code_positions(tree: ast.Module) -> dict[str, int]:
    """By name, the position of the parameter `code` of the module's own functions."""
    return {
        node.name: names.index("code")
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef)
        and "code" in (names := [argument.arg for argument in node.args.args if argument.arg not in ("self", "cls")])
    }


def _code_values(node: ast.AST, positions: dict[str, int]) -> Iterator[ast.expr]:
    if isinstance(node, ast.Call):
        yield from (keyword.value for keyword in node.keywords if keyword.arg == "code")
        position = positions.get(node.func.id) if isinstance(node.func, ast.Name) else None
        yield from () if position is None else node.args[position : position + 1]
    elif isinstance(node, ast.Dict):
        members = zip(node.keys, node.values, strict=True)
        yield from (value for key, value in members if isinstance(key, ast.Constant) and key.value == "code")
    elif isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None and "default_code" in _names(node):
        yield node.value


def _names(node: ast.Assign | ast.AnnAssign) -> list[str]:
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    return [target.id for target in targets if isinstance(target, ast.Name)]


def _text(value: ast.expr, held: dict[str, ast.expr]) -> str:
    value = held.get(value.id, value) if isinstance(value, ast.Name) else value
    text = value.value if isinstance(value, ast.Constant) else None
    return text if isinstance(text, str) and re.fullmatch(r"[a-z_]+", text) else ""


def documented_codes() -> set[str]:
    return set(re.findall(r"^\| `([a-z_]+)` \|", (ROOT / "docs" / "problems.md").read_text(), re.MULTILINE))


def test_it_finds_codes_however_they_are_given() -> None:
    source = """
_BAD = "given_by_name"
class Refused(Problem):
    default_code = "of_the_class"
class Annotated(Problem):
    default_code: ClassVar[str] = "of_the_annotated_class"
def refusal(text, code): ...
refusal("No.", "given_by_position")
BadRequest("No.", code="given_by_keyword")
BadRequest("No.", code=_BAD)
body = {"code": "in_a_body"}
packed = b'{"code":"in_a_packed_body"}'
"""
    assert codes_in(ast.parse(source)) == {
        "given_by_name",
        "of_the_class",
        "of_the_annotated_class",
        "given_by_position",
        "given_by_keyword",
        "in_a_body",
        "in_a_packed_body",
    }


def test_every_code_is_documented() -> None:
    raised = {code for tree in trees() for code in codes_in(tree)}
    assert len(raised) > 40
    assert sorted(raised - documented_codes()) == []


def test_every_documented_code_exists() -> None:
    literals = {node.value for tree in trees() for node in ast.walk(tree) if isinstance(node, ast.Constant)}
    raised = {code for tree in trees() for code in codes_in(tree)}
    assert sorted(documented_codes() - literals - raised) == []


def test_every_decision_is_listed_in_order() -> None:
    row = re.compile(r"^\| \[(\d{4})\]\((\d{4}-[a-z0-9-]+\.md)\) \|", re.MULTILINE)
    listed = row.findall((DECISIONS / "README.md").read_text())
    names = sorted(path.name for path in DECISIONS.glob("*.md") if path.name != "README.md")
    assert [name for _, name in listed] == names
    assert [int(number) for number, _ in listed] == list(range(1, len(names) + 1))
    assert all(name.startswith(f"{number}-") for number, name in listed)


@pytest.mark.parametrize("path", sorted(DECISIONS.glob("0*.md")), ids=lambda path: str(path.name)[:4])
def test_a_decision_is_dated_and_says_what_follows(path: Path) -> None:
    text = path.read_text()
    assert re.match(rf"# {path.name[:4]}\. \S.*\n\nDate: \d{{4}}-\d{{2}}-\d{{2}}\n", text)
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == ["Context", "Decision", "Consequences"]
    consequences = text.partition("## Consequences")[2]
    assert "\nGood: " in consequences
    assert "\nBad: " in consequences


def anchors(path: Path) -> set[str]:
    """The fragments that headings of a document have on the web."""
    headings = re.findall(r"^#+ (.+)$", _FENCED.sub("", path.read_text()), re.MULTILINE)
    return {re.sub(r"[^a-z0-9 _-]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(document: Path) -> None:
    broken = []
    for link in _LINK.findall(_FENCED.sub("", document.read_text())):
        if re.match(r"[a-z]+:", link):
            continue
        name, _, fragment = link.partition("#")
        target = (document.parent / name).resolve() if name else document
        if not target.exists() or (fragment and fragment not in anchors(target)):
            broken.append(link)
    assert broken == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_commands_exist(document: Path) -> None:
    text = document.read_text()
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    made = set(re.findall(r"(?:`|^)make ([a-z-]+)", text, re.MULTILINE))
    managed = set(re.findall(r"manage\.py ([a-z][a-z_]+)", text))
    assert sorted(made - targets) == []
    assert sorted(managed - get_commands().keys()) == []
