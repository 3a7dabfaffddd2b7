"""Azure OpenAI: deployments in the path, or OpenAI's own paths below /v1. Source: Azure OpenAI REST API reference."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, unquote

import msgspec

from providers.adapters.base import BodyFacts, Operation, RouteTarget
from providers.adapters.openai import ROUTED_TAILS, OpenAIAdapter
from providers.adapters.openai_operations import operation_of
from providers.catalog import API_KEY, DEPLOYMENT_MODELS, ENTRA_TOKEN
from providers.deployments import deployments_of
from providers.records import ProviderRecord

DEFAULT_API_VERSION = "2024-10-21"
_DEPLOYMENTS = "deployments"
# What an operator may have copied along with the address.
_OWN_SUFFIXES = ("/openai/v1", "/openai")


class AzureAdapter(OpenAIAdapter):
    """What a client names is a deployment: which model that is, the answer tells, or the setting."""

    provider = "azure"
    path_prefix = "/api/providers/azure/openai"
    answers_name_model = True

    def operation(self, method: str, tail: str) -> Operation:
        path = unquote(tail).strip("/")
        # The service reads its paths in any case, so what may be used must not depend on it.
        first, _, rest = path.partition("/")
        if first.lower() == "v1":
            return _operation(method, rest)
        if first.lower() != _DEPLOYMENTS or not rest:
            return _operation(method, path)
        deployment, _, rest = rest.partition("/")
        return msgspec.structs.replace(_operation(method, rest), model_in_path=deployment)

    def read_body(self, operation: Operation, document: Mapping[str, Any]) -> BodyFacts:
        facts = super().read_body(operation, document)
        if operation.model_in_path:
            # The deployment in the path answers, whatever the body names.
            return msgspec.structs.replace(facts, model=operation.model_in_path)
        return facts if document.get("model") else msgspec.structs.replace(facts, model="")

    def model_at(self, setting: ProviderRecord, model: str) -> str:
        return deployments_of(setting.parameters.get(DEPLOYMENT_MODELS, "")).get(model.lower(), model)

    def url(self, setting: ProviderRecord, tail: str, query: str) -> str:
        base = setting.base_url
        for suffix in _OWN_SUFFIXES:
            base = base.removesuffix(suffix)
        url = f"{base}/openai{tail}"
        return f"{url}?{query}" if query else url

    def credentials(self, setting: ProviderRecord) -> tuple[tuple[str, str], ...]:
        token = setting.secrets.get(ENTRA_TOKEN)
        if token:
            return (("authorization", f"Bearer {token}"),)
        return (("api-key", setting.secrets.get(API_KEY, "")),)

    def route_target(self, operation: str, model: str, params: Mapping[str, str]) -> RouteTarget | None:
        """To the deployment that the params name; without one, and for responses, to the model that the body names."""
        tail = ROUTED_TAILS.get(operation)
        if tail is None:
            return None
        deployment = params.get("deploymentId", "")
        if not deployment or operation == "responses":
            return RouteTarget(f"/v1{tail}")
        version = params.get("apiVersion") or DEFAULT_API_VERSION
        return RouteTarget(
            f"/{_DEPLOYMENTS}/{quote(deployment, safe='')}{tail}", f"api-version={quote(version, safe='')}"
        )


def _operation(method: str, path: str) -> Operation:
    found = operation_of(method, path.lower())
    if not found.model_in_path:
        return found
    return msgspec.structs.replace(found, model_in_path=path.partition("/")[2])
