"""Files that other tools read: checked as far as this machine can."""

import json
import re
import stat
import subprocess
from pathlib import Path
from typing import Any

import yaml
from django.core.management import get_commands, load_command_class

ROOT = Path(__file__).resolve().parents[1]
DOCKERFILE = (ROOT / "Dockerfile").read_text()


def compose() -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())
    return content


def accepts(command: str, arguments: list[str]) -> bool:
    parser = load_command_class(get_commands()[command], command).create_parser("manage.py", command)
    parser.parse_args(arguments)
    return True


def dockerfile_list(instruction: str) -> list[str]:
    (found,) = re.findall(rf"^{instruction} (\[.*\])$", DOCKERFILE, re.MULTILINE)
    words: list[str] = json.loads(found)
    return words


def test_the_image_runs_the_gateway_as_nobody_special() -> None:
    assert dockerfile_list("ENTRYPOINT")[:2] == ["python", "manage.py"]
    assert accepts(dockerfile_list("ENTRYPOINT")[2], dockerfile_list("CMD"))
    assert re.search(r"^USER (?!root)", DOCKERFILE, re.MULTILINE)


def test_the_image_installs_with_hashes() -> None:
    assert "--require-hashes -r /tmp/requirements.txt" in DOCKERFILE


def test_compose_starts_the_gateway_with_both_services() -> None:
    services = compose()["services"]
    assert services.keys() == {"secrets", "gateway", "postgresql", "redis"}
    assert set(services["gateway"]["depends_on"]) == {"secrets", "postgresql", "redis"}
    assert accepts("gateway", services["gateway"]["command"])
    assert accepts(services["secrets"]["entrypoint"][2], services["secrets"]["command"])


def test_compose_publishes_the_admin_listener_to_this_machine_only() -> None:
    assert compose()["services"]["gateway"]["ports"] == ["127.0.0.1:8001:8001", "8002:8002"]


def test_compose_names_every_volume_and_documented_variables() -> None:
    content = compose()
    used = {volume.split(":")[0] for service in content["services"].values() for volume in service["volumes"]}
    assert used == content["volumes"].keys()
    documented = (ROOT / "docs" / "settings.md").read_text()
    assert all(f"`{name}`" in documented for name in content["services"]["gateway"]["environment"])


def test_the_locks_have_hashes_and_no_addresses() -> None:
    for name in ("requirements.txt", "requirements-dev.txt"):
        text = (ROOT / name).read_text()
        pins = re.findall(r"^[a-z0-9].*==.*$", text, re.MULTILINE | re.IGNORECASE)
        assert len(pins) > 30
        assert text.count("--hash=sha256:") >= len(pins)
        assert not re.search(r"https?://|--(extra-)?index-url|--find-links", text)


def test_make_lists_its_targets() -> None:
    told = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True)
    for target in ("run", "demo", "test", "bench", "lint", "types", "contracts", "check", "lock"):
        assert f"make {target} " in told.stdout


def test_ci_runs_the_check_target() -> None:
    script = ROOT / ".ci" / "run"
    assert script.stat().st_mode & stat.S_IXUSR
    assert "make check" in script.read_text()
    subprocess.run(["bash", "-n", str(script)], check=True)
