"""Models at a setting: which a key may use there, what they cost, and whose price holds when the answer names one."""

from collections.abc import Callable
from functools import partial

from providers.costs import Prices, price_of
from providers.records import PriceRecord, ProviderRecord
from proxy.flow import Call

PriceFinder = Callable[[str], PriceRecord | None]


def allows(call: Call, setting: ProviderRecord, model: str) -> bool:
    """Whether the setting's allowedModels hold a model, by the client's name for it or by what that means there.

    Some servers choose a model for a request that names none, so where models are limited one must be named.
    """
    allowed = setting.allowed_models
    if not allowed:
        return True
    if not model:
        return call.operation.metering != "estimated"
    return model in allowed or call.adapter.model_at(setting, model) in allowed


def price_at(call: Call, setting: ProviderRecord, prices: Prices, model: str) -> PriceRecord | None:
    """The price of a model by what its name means at the setting, else by the name itself; None: unpriced."""
    embeddings = call.operation.name == "embeddings"
    meant = call.adapter.model_at(setting, model)
    found = price_of(setting, prices, meant, embeddings=embeddings)
    if found is None and meant != model:
        return price_of(setting, prices, model, embeddings=embeddings)
    return found


def price_by_answer(call: Call, setting: ProviderRecord, prices: Prices) -> PriceFinder | None:
    """Finds the price of the model an answer names, where that decides; None: the model asked for decides.

    An answer of an unmetered operation may tell usage all the same, as runs of threads do, and then says of which
    model.
    """
    told = call.operation.metering == "unmetered" or call.operation.tells_late
    if not call.adapter.answers_name_model and not told:
        return None
    return partial(price_of, setting, prices, embeddings=call.operation.name == "embeddings")
