"""Money is whole nano-dollars (1e-9 USD); prices are whole pico-dollars (1e-12 USD) per unit."""

from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation

NANO_PER_USD = 1_000_000_000
PICO_PER_USD = 1_000_000_000_000
PICO_PER_NANO = 1_000
MAX_NANO = 2**63 - 1


def usd_to_nano(amount: Decimal | float | int | str) -> int:
    """Nano-dollars of a USD amount. Raises ValueError for what is no finite amount or does not fit 64 bits."""
    return _scaled(amount, NANO_PER_USD)


def usd_to_pico(amount: Decimal | float | int | str) -> int:
    """Pico-dollars of a USD amount, for prices. Raises ValueError as usd_to_nano."""
    return _scaled(amount, PICO_PER_USD)


def nano_to_usd(nano: int) -> float:
    """USD as a float, for JSON and screens only; never calculate with it."""
    return nano / NANO_PER_USD


def pico_to_nano(pico: int) -> int:
    """Nano-dollars, rounded up: once per request, so that nothing priced costs nothing."""
    return -(-pico // PICO_PER_NANO)


def _scaled(amount: Decimal | float | int | str, scale: int) -> int:
    try:
        value = Decimal(str(amount))
        scaled = (value * scale).to_integral_value(rounding=ROUND_HALF_EVEN)
    except InvalidOperation as error:
        raise ValueError(f"{amount!r} is not an amount in USD") from error
    if not scaled.is_finite() or abs(scaled) > MAX_NANO:
        raise ValueError(f"{amount!r} is out of range")
    return int(scaled)
