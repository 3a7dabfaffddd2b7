import base64
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from gateway_project.env import SettingError
from gateway_project.secrets_file import SECRET_VARIABLES, new_secrets, parse_ring, read_or_create_secrets

VALUE = base64.urlsafe_b64encode(b"v" * 32).decode()
OTHER = base64.b64encode(b"\xff" * 32).decode()


def test_it_is_written_once_for_its_owner_only(tmp_path: Path) -> None:
    first = read_or_create_secrets(tmp_path / "var")
    path = tmp_path / "var" / "secrets.env"
    assert tuple(first) == SECRET_VARIABLES
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert read_or_create_secrets(tmp_path / "var") == first


def test_two_starts_at_once_agree(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(read_or_create_secrets, [tmp_path] * 32))
    assert all(each == found[0] for each in found)
    assert [path.name for path in tmp_path.iterdir()] == ["secrets.env"]


def test_a_place_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SettingError, match="GATEWAY_VAR_DIR"):
        read_or_create_secrets(tmp_path / "file")


def test_what_it_makes_it_can_read() -> None:
    made = new_secrets()
    ((ring_id, value),) = parse_ring("GATEWAY_DATA_KEYS", made["GATEWAY_DATA_KEYS"])
    assert ring_id == "d1"
    assert len(value) == 32


def test_a_ring_keeps_its_order_and_takes_both_base64_alphabets() -> None:
    assert parse_ring("RING", f"new:{VALUE}, old:{OTHER}") == (("new", b"v" * 32), ("old", b"\xff" * 32))
    assert parse_ring("RING", "") == ()


@pytest.mark.parametrize("text", ["novalue", f":{VALUE}", "a:short", f"a:{VALUE},a:{OTHER}", f"a b:{VALUE}", "a:####"])
def test_a_malformed_ring_is_refused_without_quoting_it(text: str) -> None:
    with pytest.raises(SettingError) as caught:
        parse_ring("RING", text)
    assert str(caught.value).startswith("RING: entry ")
    assert VALUE not in str(caught.value)
