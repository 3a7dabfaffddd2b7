"""Which model a deployment is: the member `deploymentModels` of an Azure setting, a JSON object as text. Pure."""

import re
from collections.abc import Mapping
from functools import lru_cache

import orjson

EXAMPLE = '{"my-deployment": "gpt-4o"}'
_NAME = re.compile(r"[^\x00-\x1f\x7f]{1,255}")


def check_deployments(text: str) -> None:
    """Raises ValueError for what is no JSON object of model names by deployment."""
    named = _object(text)
    if named is None:
        raise ValueError(f"must be a JSON object of models by deployment, such as {EXAMPLE}")
    if len({name.lower() for name in named}) < len(named):
        raise ValueError("has a deployment twice; upper and lower case are the same")
    if not all(
        _NAME.fullmatch(name) and isinstance(model, str) and _NAME.fullmatch(model) for name, model in named.items()
    ):
        raise ValueError("has a deployment or a model that is no name")


@lru_cache(256)
def deployments_of(text: str) -> Mapping[str, str]:
    """Models by deployment in lower case; none where the text is no such object."""
    named = (_object(text) if text else None) or {}
    return {name.lower(): model for name, model in named.items() if isinstance(model, str)}


def _object(text: str) -> dict[str, object] | None:
    try:
        named = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    return named if isinstance(named, dict) else None
