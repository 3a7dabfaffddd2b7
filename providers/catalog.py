"""The providers a setting can be stored for: what each needs and where its secrets are sent. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field

API_KEY = "apikey"
URL = "url"
ENTRA_TOKEN = "entraToken"  # noqa: S105 -- the name of a member, not a secret
DEPLOYMENT_MODELS = "deploymentModels"
AWS_CHAIN = "awsCredentialChain"


@dataclass(frozen=True, slots=True)
class OpenAIDialect:
    """How a provider's OpenAI dialect differs from OpenAI's own; the defaults say that it does not.

    asked_for_usage: streams tell usage only when asked; otherwise they do so by themselves, and may refuse to be
    asked. says_done: streams end with `[DONE]`. pictures_in_chat: image models answer a chat with addresses of
    pictures and tell no tokens.
    """

    asked_for_usage: bool = True
    says_done: bool = True
    pictures_in_chat: bool = False


@dataclass(frozen=True, slots=True)
class ProviderKind:
    """One row of the catalogue.

    required: members of `setting` that must be there; optional: further known ones. instead: for a required member
    the optional one that may be there in its place. parameters: those of them that are no secrets; a member that is
    not known is a secret. base_url: where requests and secrets go unless `url` says otherwise, with `{resourceName}`
    and `{awsRegion}` filled in from the parameters; empty when only `url` says it.
    versioned: a `url` without a version segment gets `/v1` appended. route_params: what a step of a route must say
    besides its model. several_urls: `url` may hold several, separated by commas; requests are balanced among them.
    dialect: given for a provider that is nothing but this row: it is served at `/api/providers/<name>/v1`, without an
    adapter of its own. origins: where secrets are sent when no base URL says it, as for an operator's own provider.
    """

    name: str
    label: str
    required: tuple[str, ...]
    optional: tuple[str, ...] = ()
    parameters: tuple[str, ...] = (URL,)
    base_url: str = ""
    versioned: bool = True
    route_params: tuple[str, ...] = ()
    several_urls: bool = False
    instead: Mapping[str, str] = field(default_factory=dict)
    dialect: OpenAIDialect | None = None
    origins: tuple[str, ...] = ()

    @property
    def secrets(self) -> tuple[str, ...]:
        """The known members that are sealed."""
        return tuple(name for name in (*self.required, *self.optional) if name not in self.parameters)


def compatible(
    name: str, label: str, base_url: str, *, versioned: bool = True, dialect: OpenAIDialect | None = None
) -> ProviderKind:
    """A provider of OpenAI's dialect that takes a key as bearer."""
    return ProviderKind(
        name, label, (API_KEY,), (URL,), base_url=base_url, versioned=versioned, dialect=dialect or OpenAIDialect()
    )


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
            (URL, ENTRA_TOKEN, DEPLOYMENT_MODELS),
            parameters=(URL, "resourceName", DEPLOYMENT_MODELS),
            base_url="https://{resourceName}.openai.azure.com",
            versioned=False,
            instead={"resourceName": URL, API_KEY: ENTRA_TOKEN},
            route_params=("deploymentId", "apiVersion"),
        ),
        ProviderKind(
            "bedrock",
            "Amazon Bedrock",
            (*_AWS_SECRETS, "awsRegion"),
            (URL, "awsSessionToken", AWS_CHAIN),
            parameters=(URL, "awsRegion", AWS_CHAIN),
            instead=dict.fromkeys(_AWS_SECRETS, AWS_CHAIN),
            base_url="https://bedrock-runtime.{awsRegion}.amazonaws.com",
            versioned=False,
        ),
        ProviderKind("vllm", "vLLM", (URL,), (API_KEY,), several_urls=True),
        compatible("deepinfra", "DeepInfra", "https://api.deepinfra.com/v1/openai"),
        compatible("mistral", "Mistral", "https://api.mistral.ai/v1", dialect=OpenAIDialect(asked_for_usage=False)),
        compatible("groq", "Groq", "https://api.groq.com/openai/v1"),
        compatible("together", "Together AI", "https://api.together.xyz/v1"),
        compatible("openrouter", "OpenRouter", "https://openrouter.ai/api/v1"),
        compatible("xai", "xAI", "https://api.x.ai/v1"),
        compatible(
            "blackbox",
            "Blackbox AI",
            "https://api.blackbox.ai",
            versioned=False,
            dialect=OpenAIDialect(pictures_in_chat=True),
        ),
        compatible("cohere", "Cohere", "https://api.cohere.ai/compatibility/v1"),
        compatible(
            "perplexity",
            "Perplexity",
            "https://api.perplexity.ai",
            versioned=False,
            dialect=OpenAIDialect(asked_for_usage=False, says_done=False),
        ),
        compatible("gemini", "Google Gemini", "https://generativelanguage.googleapis.com/v1beta/openai"),
        ProviderKind(
            "ollama", "Ollama", (), (URL, API_KEY), base_url="http://127.0.0.1:11434/v1", dialect=OpenAIDialect()
        ),
    )
}


# A provider by its name in the catalogue, or a kind that stands elsewhere (providers/kinds.py).
Provider = str | ProviderKind


def kind_in(provider: Provider) -> ProviderKind:
    """The kind itself, or the catalogue's row of that name. Raises KeyError."""
    return provider if isinstance(provider, ProviderKind) else CATALOG[provider]


def provider_choices() -> list[tuple[str, str]]:
    """(name, label) pairs. A callable, so that a further provider is no migration."""
    return [(kind.name, kind.label) for kind in CATALOG.values()]
