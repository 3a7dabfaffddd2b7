"""Prices as people write them and as the table holds them: USD per million tokens, pico-dollars per token. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

from gateway_project.shared.money import PICO_PER_USD
from providers.rules import PRICE_MEMBERS

PER_MILLION_TOKENS = "USD per million tokens"


@dataclass(frozen=True, slots=True)
class Unit:
    """What a price is written for. units: how many priced units it is, such as a million tokens."""

    text: str
    units: int

    def usd(self, pico: int) -> Decimal:
        """USD for so many units, exactly."""
        return Decimal(pico) * self.units / PICO_PER_USD

    def pico(self, usd: Decimal) -> int:
        """Pico-dollars for one unit, to the nearest."""
        return int((usd * PICO_PER_USD / self.units).to_integral_value(rounding=ROUND_HALF_EVEN))


TOKENS = Unit(PER_MILLION_TOKENS, 1_000_000)
CHARACTERS = Unit("USD per million characters", 1_000_000)
MINUTES = Unit("USD per minute of audio", 60)
IMAGES = Unit("USD per image", 1)
_OTHERS = {"second_pico": MINUTES, "character_pico": CHARACTERS}


def unit_of(member: str) -> Unit:
    """The unit in which people write a member of a price."""
    return _OTHERS.get(member, TOKENS)


def images_in_usd(prices: Mapping[str, int]) -> dict[str, float]:
    """USD per image by its kind, for JSON."""
    return {kind: float(IMAGES.usd(pico)) for kind, pico in prices.items()}


def images_in_pico(prices: Mapping[str, Any]) -> dict[str, int]:
    """Raises ValueError for what is no amount in USD."""
    return {str(kind): IMAGES.pico(_amount(usd)) for kind, usd in prices.items()}


def tiers_in_usd(tiers: Mapping[str, Mapping[str, int]]) -> dict[str, dict[str, float]]:
    """Each tier's prices by their names without `_pico`, in the unit of each, for JSON."""
    return {
        tier: {name.removesuffix("_pico"): float(unit_of(name).usd(pico)) for name, pico in prices.items()}
        for tier, prices in tiers.items()
    }


def tiers_in_pico(tiers: Mapping[str, Any]) -> dict[str, dict[str, int]]:
    """Raises ValueError for an unknown name and for what is no amount in USD."""
    found: dict[str, dict[str, int]] = {}
    for tier, prices in tiers.items():
        if not isinstance(prices, Mapping):
            raise ValueError(f"{tier} must be an object of prices")  # noqa: TRY004  (what was typed is wrong)
        found[str(tier)] = {}
        for name, usd in prices.items():
            member = f"{name}_pico"
            if member not in PRICE_MEMBERS:
                known = ", ".join(each.removesuffix("_pico") for each in PRICE_MEMBERS)
                raise ValueError(f"{name} is not known; there are {known}")
            found[str(tier)][member] = unit_of(member).pico(_amount(usd))
    return found


def _amount(usd: Any) -> Decimal:
    if isinstance(usd, bool) or not isinstance(usd, int | float | Decimal):
        raise ValueError(f"{usd!r} is no amount in USD")  # noqa: TRY004  (what was typed is wrong)
    amount = Decimal(str(usd))
    if not amount.is_finite() or amount < 0:
        raise ValueError(f"{usd!r} is no amount in USD")
    return amount
