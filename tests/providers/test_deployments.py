"""Which model a deployment is."""

import pytest

from providers.deployments import check_deployments, deployments_of


@pytest.mark.parametrize("text", ["{}", '{"my-deployment": "gpt-4o"}', '{"a": "x", "b": "x"}'])
def test_it_takes_models_by_deployment(text: str) -> None:
    check_deployments(text)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "JSON object"),
        ("prod=gpt-4o", "JSON object"),
        ('["gpt-4o"]', "JSON object"),
        ('{"a": "x", "A": "y"}', "twice"),
        ('{"a": ""}', "no name"),
        ('{"": "x"}', "no name"),
        ('{"a": 5}', "no name"),
        ('{"a\\n": "x"}', "no name"),
    ],
)
def test_it_refuses_what_names_no_models(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        check_deployments(text)


def test_it_finds_a_deployment_in_any_case() -> None:
    assert deployments_of('{"Prod": "gpt-4o"}') == {"prod": "gpt-4o"}
    assert deployments_of("") == deployments_of("nonsense") == {}
