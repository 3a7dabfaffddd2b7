"""All providers a setting can be stored for: the catalogue's and those that operators described."""

from collections.abc import Iterable, Mapping

from providers.catalog import CATALOG, ProviderKind
from providers.destinations import origin_of
from providers.models import CustomProvider


def kind_of(provider: str, *, lock: bool = False) -> ProviderKind:
    """What a setting of the provider needs, and where its secrets are sent. Raises KeyError for an unknown one.

    lock: what operators described stays as it is until the caller's transaction ends.
    """
    kind = CATALOG.get(provider)
    if kind is not None:
        return kind
    rows = CustomProvider.objects.select_for_update() if lock else CustomProvider.objects.all()
    row = rows.filter(provider=provider).prefetch_related("routes").first()
    if row is None:
        raise KeyError(provider)
    return custom_kind(row)


def all_kinds() -> dict[str, ProviderKind]:
    """All of them by name, with two queries however many there are."""
    rows = CustomProvider.objects.prefetch_related("routes")
    return {**CATALOG, **{row.provider: custom_kind(row) for row in rows}}


def provider_names() -> list[tuple[str, str]]:
    """(name, label) pairs: the catalogue's providers, then operators' own by name."""
    own = CustomProvider.objects.order_by("provider").values_list("provider", flat=True)
    return [*((kind.name, kind.label) for kind in CATALOG.values()), *((name, name) for name in own)]


def custom_kind(row: CustomProvider) -> ProviderKind:
    """The secret of a setting may be sent to the origins of all paths, and nowhere else."""
    return ProviderKind(
        name=row.provider,
        label=row.provider,
        required=(row.authentication_param,) if row.authentication_param else (),
        parameters=(),
        versioned=False,
        origins=origins_of(route.target_url for route in row.routes.all()),
    )


def origins_of(urls: Iterable[str]) -> tuple[str, ...]:
    """The different origins of target URLs, sorted."""
    return tuple(sorted({origin_of(url) for url in urls}))


def lacks_secret(kind: ProviderKind, secrets: Mapping[str, str]) -> bool:
    """Whether an operator's own provider would be called without the secret it wants."""
    return bool(kind.origins) and any(name not in secrets for name in kind.required)
