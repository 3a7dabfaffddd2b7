import io
import json

import pytest
from django.core.management import call_command

from keys.services import create_key, revoke_key

pytestmark = pytest.mark.django_db


def run(*arguments: str) -> str:
    out = io.StringIO()
    call_command("list_keys", *arguments, stdout=out)
    return out.getvalue()


@pytest.fixture(autouse=True)
def _keys(setting_id: str) -> None:
    create_key(name="alpha", secret="a long enough secret", tags=["x"], setting_ids=[setting_id])
    beta, _ = create_key(
        name="beta", tags=["x", "y"], setting_ids=[setting_id], request_limit=2, request_window_unit="m"
    )
    revoke_key(beta.id, reason="leaked")


def test_it_lists_state_limits_and_tags_in_columns() -> None:
    head, *rows = run().splitlines()
    alpha, beta = sorted(rows, key=lambda row: row.split()[1])
    assert head.split()[:5] == ["ID", "NAME", "SECRET", "STATE", "LIMITS"]
    assert "active" in alpha
    assert "a l…et" in alpha
    assert "revoked: leaked" in beta
    assert "2 requests/m" in beta
    assert alpha.index("alpha") == head.index("NAME") == beta.index("beta")


def test_it_filters() -> None:
    assert [key["name"] for key in json.loads(run("--tag", "x", "--tag", "y", "--json"))] == ["beta"]
    assert [key["name"] for key in json.loads(run("--active", "--json"))] == ["alpha"]
    assert [key["name"] for key in json.loads(run("--revoked", "--json"))] == ["beta"]
    assert [key["name"] for key in json.loads(run("--name", "ALP", "--provider", "openai", "--json"))] == ["alpha"]
    assert run("--tag", "nobody") == "no keys\n"


def test_it_says_how_many_it_left_out() -> None:
    assert run("--limit", "1").splitlines()[-1] == "1 more; raise --limit or filter"


def test_it_prints_no_secret() -> None:
    assert "long enough" not in run() + run("--json")
