"""Who changes prices: the bundled list at start, and operators. Each change is journalled."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import structlog
from django.db import transaction
from django.db.models import Q

from gateway_project.changes import record_change
from gateway_project.shared import clock
from gateway_project.shared.problems import Conflict
from providers.models import LoadedPriceList, ModelPrice
from providers.price_list import LIST_PATH, SUPPLEMENT_PATH, PriceList, price_list_version, read_price_list
from providers.rules import PRICE_MEMBERS, check_price

log = structlog.get_logger("providers")

BUNDLED = "bundled"
_COMPARED = (*PRICE_MEMBERS, "image_prices", "tiers", "long_context_from")
_REFRESHED = ("max_input_tokens", "max_output_tokens", "source", "source_text", "note")
_BATCH_ROWS = 500


class PriceExists(Conflict):
    default_code = "price_exists"
    title = "price exists"


@dataclass(frozen=True, slots=True)
class Loaded:
    """What loading a list did. ended: rows whose price the list has changed; each is among the added as well."""

    version: str
    added: int = 0
    ended: int = 0
    refreshed: int = 0

    @property
    def changed(self) -> bool:
        return bool(self.added or self.ended or self.refreshed)


@dataclass(slots=True)
class _Plan:
    added: list[ModelPrice] = field(default_factory=list)
    ended: list[ModelPrice] = field(default_factory=list)
    refreshed: list[ModelPrice] = field(default_factory=list)


def load_price_list() -> Loaded:
    """Bring the bundled list into the table, once per version; nothing is ever deleted, no operator's row touched.

    A price that a newer list changes ends now and its successor begins now. Costs one query when nothing is to do.
    """
    digest = price_list_version(LIST_PATH, SUPPLEMENT_PATH)
    known = LoadedPriceList.objects.filter(name=BUNDLED).values_list("version", flat=True).first()
    if known is not None and known.endswith(digest):
        return Loaded(known)
    return store_price_list(read_price_list(LIST_PATH, SUPPLEMENT_PATH))


def store_price_list(prices: PriceList) -> Loaded:
    """Load a list whatever version the table holds."""
    at = clock.now()
    with transaction.atomic():
        mark, _ = LoadedPriceList.objects.select_for_update().get_or_create(
            name=BUNDLED, defaults={"version": "", "loaded_at": at}
        )
        plan = _planned(prices, at)
        ModelPrice.objects.bulk_update(plan.ended, ["valid_until"], batch_size=_BATCH_ROWS)
        ModelPrice.objects.bulk_update(plan.refreshed, [*_COMPARED, *_REFRESHED], batch_size=_BATCH_ROWS)
        # An operator's row for the same model from the same second on stands in the way, and wins.
        ModelPrice.objects.bulk_create(plan.added, batch_size=_BATCH_ROWS, ignore_conflicts=True)
        loaded = Loaded(prices.version, len(plan.added), len(plan.ended), len(plan.refreshed))
        mark.version, mark.loaded_at = prices.version, at
        mark.save()
        if loaded.changed:
            record_change(snapshot=True)
    log.info("price_list_loaded", version=loaded.version, added=loaded.added, ended=loaded.ended)
    return loaded


def save_price(row: ModelPrice) -> ModelPrice:
    """Store an operator's price, new or changed. Raises ValidationFailed, and PriceExists for a doubled beginning."""
    row.provider, row.model = row.provider.strip(), row.model.strip().lower()
    check_price(row.provider, row.model, {name: getattr(row, name) for name in (*_COMPARED, *_REFRESHED[:2])})
    row.source, row.source_text = ModelPrice.Source.OPERATOR, row.source_text or "operator"
    with transaction.atomic():
        same = Q(provider=row.provider, model=row.model, valid_from=row.valid_from)
        if ModelPrice.objects.filter(same).exclude(pk=row.pk).exists():
            raise PriceExists(
                f"{row.provider} {row.model} has a price from {row.valid_from} on: choose another beginning"
            )
        row.save()
        record_change(snapshot=True)
    return row


def delete_price(row: ModelPrice) -> None:
    """Remove a row; the list's comes back with the next version of the list only."""
    with transaction.atomic():
        row.delete()
        record_change(snapshot=True)


def _planned(prices: PriceList, at: int) -> _Plan:
    listed = ModelPrice.objects.exclude(source=ModelPrice.Source.OPERATOR)
    current = {(row.provider, row.model): row for row in listed.filter(valid_until__isnull=True)}
    past = set(listed.values_list("provider", "model"))
    plan = _Plan()
    for wanted in _wanted(prices):
        place = (wanted.provider, wanted.model)
        row = current.get(place)
        if row is None:
            wanted.valid_from = at if place in past else 0
            plan.added.append(wanted)
        elif _differs(row, wanted, _COMPARED) and row.valid_from < at:
            row.valid_until = wanted.valid_from = at
            plan.ended.append(row)
            plan.added.append(wanted)
        elif _differs(row, wanted, (*_COMPARED, *_REFRESHED)):
            for name in (*_COMPARED, *_REFRESHED):
                setattr(row, name, getattr(wanted, name))
            plan.refreshed.append(row)
    return plan


def _wanted(prices: PriceList) -> Iterable[ModelPrice]:
    """One unsaved row per model; the list's come before the supplement's."""
    rows: dict[tuple[str, str], ModelPrice] = {}
    for row in prices.supplement:
        rows[row["provider"], row["model"]] = _unsaved(row, ModelPrice.Source.SUPPLEMENT, "")
    for row in prices.rows:
        rows[row["provider"], row["model"]] = _unsaved(row, ModelPrice.Source.LIST, prices.source)
    return rows.values()


def _unsaved(row: Mapping[str, Any], source: ModelPrice.Source, source_text: str) -> ModelPrice:
    return ModelPrice(source=source, **{"source_text": source_text, **row})


def _differs(row: ModelPrice, wanted: ModelPrice, names: Iterable[str]) -> bool:
    return any(getattr(row, name) != getattr(wanted, name) for name in names)
