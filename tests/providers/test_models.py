"""What the database itself refuses."""

from typing import Any

import pytest
from django.db import IntegrityError, transaction

from providers.models import LoadedPriceList, ModelPrice, ProviderSetting


@pytest.mark.django_db
def test_it_refuses_a_weight_of_nothing() -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        ProviderSetting.objects.create(provider="openai", weight=0, created_at=1, updated_at=1)


@pytest.mark.django_db
@pytest.mark.parametrize("second", [{"valid_from": 0}, {"valid_from": 5, "valid_until": 5}])
def test_it_refuses_prices_that_contradict_each_other(second: dict[str, Any]) -> None:
    ModelPrice.objects.create(provider="openai", model="m", input_pico=1)
    with pytest.raises(IntegrityError), transaction.atomic():
        ModelPrice.objects.create(provider="openai", model="m", input_pico=2, **second)


def test_it_has_names_for_people() -> None:
    assert str(ProviderSetting(name="team", provider="openai")) == "team (openai)"
    assert str(ModelPrice(provider="openai", model="gpt-4o")) == "openai gpt-4o"
    assert str(LoadedPriceList(name="bundled", version="1")) == "bundled 1"
