"""The providers a setting can be stored for: what each needs and where its secrets are sent. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

API_KEY = "apikey"
URL = "url"


@dataclass(frozen=True, slots=True)
class ProviderKind:
    """One row of the catalogue.

    required: members of `setting` that must be there; optional: further known ones. parameters: those of them that
    are no secrets; a member that is not known is a secret. base_url: where requests and secrets go unless `url` says
    otherwise, with `{resourceName}` and `{awsRegion}` filled in from the parameters; empty when only `url` says it.
    versioned: a `url` without a version segment gets `/v1` appended. route_params: what a step of a route must say
    besides its model.
    """

    name: str
    label: str
    required: tuple[str, ...]
    optional: tuple[str, ...] = ()
    parameters: tuple[str, ...] = (URL,)
    base_url: str = ""
    versioned: bool = True
    route_params: tuple[str, ...] = ()

    @property
    def secrets(self) -> tuple[str, ...]:
        """The known members that are sealed."""
        return tuple(name for name in (*self.required, *self.optional) if name not in self.parameters)


_AWS_SECRETS = ("awsAccessKeyId", "awsSecretAccessKey")

CATALOG: Mapping[str, ProviderKind] = {
    kind.name: kind
    for kind in (
        ProviderKind("openai", "OpenAI", (API_KEY,), (URL,), base_url="https://api.openai.com/v1"),
        ProviderKind(
            "anthropic",
            "Anthropic",
            (API_KEY,),
            (URL,),
            base_url="https://api.anthropic.com/v1",
        ),
        ProviderKind(
            "azure",
            "Azure OpenAI",
            ("resourceName", API_KEY),
            (URL,),
            parameters=(URL, "resourceName"),
            base_url="https://{resourceName}.openai.azure.com",
            versioned=False,
            route_params=("deploymentId", "apiVersion"),
        ),
        ProviderKind(
            "bedrock",
            "Amazon Bedrock",
            (*_AWS_SECRETS, "awsRegion"),
            (URL, "awsSessionToken"),
            parameters=(URL, "awsRegion"),
            base_url="https://bedrock-runtime.{awsRegion}.amazonaws.com",
            versioned=False,
        ),
        ProviderKind("vllm", "vLLM", (URL,), (API_KEY,)),
        ProviderKind(
            "deepinfra",
            "DeepInfra",
            (API_KEY,),
            (URL,),
            base_url="https://api.deepinfra.com/v1/openai",
        ),
    )
}


def provider_choices() -> list[tuple[str, str]]:
    """(name, label) pairs. A callable, so that a further provider is no migration."""
    return [(kind.name, kind.label) for kind in CATALOG.values()]
