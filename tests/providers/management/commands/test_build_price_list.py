"""manage.py build_price_list."""

import json
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from providers.price_list import SUPPLEMENT_PATH, read_price_list

LISTED = {
    "m": {"litellm_provider": "openai", "mode": "chat", "input_cost_per_token": 1e-06},
    "odd": {"litellm_provider": "openai", "mode": "chat", "input_cost_per_token": 1.5e-12},
    "free": {"litellm_provider": "openai", "mode": "chat", "input_cost_per_token": 0.0},
}


def test_it_writes_the_list_and_reports_what_it_could_not_take(tmp_path: Path) -> None:
    source, output, said = tmp_path / "list.json", tmp_path / "prices.json.gz", StringIO()
    source.write_text(json.dumps(LISTED))
    call_command("build_price_list", str(source), list_version="1.2.3", output=output, stdout=said)
    prices = read_price_list(output, SUPPLEMENT_PATH)
    assert prices.source.endswith("version 1.2.3")
    assert [(row["model"], row["input_pico"]) for row in prices.rows] == [("m", 1_000_000), ("odd", 2)]
    assert "rounded up  odd: input_cost_per_token: input_pico, 1.5 taken as 2" in said.getvalue()
    assert "left out    free" in said.getvalue()


def test_it_says_when_the_file_is_none(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="Cannot read"):
        call_command("build_price_list", str(tmp_path / "absent.json"), list_version="1")
