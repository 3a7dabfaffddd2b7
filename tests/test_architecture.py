"""What import contracts cannot see: directions of foreign keys, real imports, sizes, mirrored tests."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.apps import apps
from django.db.models import ForeignKey, ManyToManyField

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("gateway_project", "keys", "policies", "providers", "proxy", "reporting", "routes")
TOOLS = ("bench", "fake_upstream", "tests")
# Lower ones never point at higher ones, not even by a string.
LAYERS = {"gateway_project": 0, "policies": 1, "providers": 1, "keys": 2, "routes": 3, "reporting": 4}

MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 50
MAX_PARAMETERS = 5

# Source modules without a test of their own name, and why.
WITHOUT_MIRROR = {
    "gateway_project/celery.py": "wiring; the worker started by the command's tests uses it",
    "gateway_project/asgi.py": "wiring; every end-to-end test goes through it",
    "gateway_project/settings.py": "test_docs compares every variable; the readers are tested where they are",
    "gateway_project/supervisor/banner.py": "words; the command's tests read them",
    "gateway_project/supervisor/child.py": "the command's tests run it as it is run: as processes",
    "gateway_project/supervisor/children.py": "as child.py",
    "gateway_project/supervisor/demo.py": "the command's tests stream through it",
    "gateway_project/supervisor/prepare.py": "the command's tests start from nothing, and from what is broken",
    "gateway_project/supervisor/supervisor.py": "as child.py",
    "gateway_project/supervisor/roles/": "as child.py",
    "gateway_project/servers/listening.py": "types and a socket; both servers' tests and the command's use it",
    "gateway_project/management/commands/new_secrets.py": "prints what test_secrets_file reads",
    "gateway_project/api/docs.py": "test_urls asks for the pages",
}
NAMES_WITHOUT_MIRROR = {"__init__.py", "__main__.py", "apps.py", "urls.py", "models.py", "records.py"}


def python_files(*packages: str) -> Iterator[Path]:
    for package in packages:
        for path in sorted((ROOT / package).rglob("*.py")):
            if "migrations" not in path.parts and "node_modules" not in path.parts:
                yield path


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def place(path: Path, node: ast.FunctionDef | ast.AsyncFunctionDef) -> str:
    return f"{path.relative_to(ROOT)}:{node.lineno} {node.name}"


def test_foreign_keys_point_downwards() -> None:
    upward = [
        f"{model._meta.label}.{field.name} -> {field.related_model._meta.label}"
        for model in apps.get_models(include_auto_created=True)
        for field in model._meta.get_fields()
        if isinstance(field, ForeignKey | ManyToManyField)
        and model._meta.app_label in LAYERS
        and not isinstance(field.related_model, str)
        and LAYERS.get(field.related_model._meta.app_label, -1) > LAYERS[model._meta.app_label]
    ]
    assert upward == []


def test_siblings_do_not_point_at_each_other() -> None:
    for model in apps.get_models(include_auto_created=True):
        for field in model._meta.get_fields():
            if isinstance(field, ForeignKey | ManyToManyField) and not isinstance(field.related_model, str):
                pair = {model._meta.app_label, field.related_model._meta.app_label}
                assert pair != {"policies", "providers"}, f"{model._meta.label}.{field.name}"


def hot_modules() -> list[str]:
    listed = [
        *python_files("proxy", "providers/adapters"),
        *(ROOT / name / "records.py" for name in ("keys", "providers", "reporting")),
        *(ROOT / name for name in ("providers/costs.py", "keys/limits.py", "keys/secrets.py", "reporting/spool.py")),
        *(
            ROOT / f"gateway_project/shared/{name}.py"
            for name in ("clock", "counters", "ids", "memory_counters", "money", "problems", "redis_counters")
        ),
    ]
    doors = {ROOT / name for name in ("proxy/apps.py", "proxy/refresh.py", "proxy/cache_store_redis.py")}
    modules = [path.relative_to(ROOT).with_suffix("") for path in listed if path not in doors]
    return [".".join(path.parts).removesuffix(".__init__") for path in modules]


def test_the_hot_path_runs_without_django() -> None:
    program = f"""
import importlib, sys
class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {{"django", "rest_framework", "celery", "httpx", "boto3", "botocore", "channels"}}:
            raise ImportError(f"the hot path imports {{name}}")
sys.meta_path.insert(0, Blocker())
for name in {hot_modules()!r}:
    importlib.import_module(name)
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_files_are_short() -> None:
    long = {
        str(path.relative_to(ROOT)): lines
        for path in python_files(*PACKAGES, *TOOLS)
        if (lines := len(path.read_text().splitlines())) > MAX_FILE_LINES
    }
    assert long == {}


def test_functions_are_short() -> None:
    long = [
        place(path, node)
        for path in python_files(*PACKAGES, *TOOLS)
        for node in functions(path)
        if (node.end_lineno or node.lineno) - node.lineno + 1 > MAX_FUNCTION_LINES
    ]
    assert long == []


def test_functions_take_few_parameters() -> None:
    many = [
        place(path, node)
        for path in python_files(*PACKAGES)
        for node in functions(path)
        if _parameters(node) > MAX_PARAMETERS
    ]
    assert many == []


def _parameters(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    names = [argument.arg for argument in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)]
    return len([name for name in names if name not in {"self", "cls"}])


def has_logic(path: Path) -> bool:
    """Whether there is a branch, a loop or a function with more than a return in the module."""
    tree = ast.parse(path.read_text())
    decisions = (ast.If, ast.For, ast.While, ast.Try, ast.With, ast.AsyncFor, ast.AsyncWith, ast.IfExp, ast.BoolOp)
    return any(isinstance(node, decisions) for node in ast.walk(tree))


def mirrors(path: Path) -> list[Path]:
    """keys/api/views.py is tested in tests/keys/api/test_views.py, or in several test_views_….py beside it."""
    folder = ROOT / "tests" / path.relative_to(ROOT).parent
    stem = f"test_{path.stem.lstrip('_')}"
    return [*folder.glob(f"{stem}.py"), *folder.glob(f"{stem}_*.py")]


def is_excepted(path: Path) -> bool:
    name = str(path.relative_to(ROOT))
    return path.name in NAMES_WITHOUT_MIRROR or any(name.startswith(each) for each in WITHOUT_MIRROR)


def test_every_module_with_logic_has_its_test() -> None:
    missing = [
        str(path.relative_to(ROOT))
        for path in python_files(*PACKAGES)
        if not is_excepted(path) and has_logic(path) and not mirrors(path)
    ]
    assert missing == []


@pytest.mark.parametrize("name", WITHOUT_MIRROR)
def test_the_exceptions_exist(name: str) -> None:
    assert (ROOT / name).exists()


def test_nothing_is_called_utils() -> None:
    vague = {"utils", "helpers", "common", "misc"}
    assert [path for path in python_files(*PACKAGES, *TOOLS) if path.stem in vague] == []
