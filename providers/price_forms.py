"""The admin's form of a price: USD per million tokens, times in UTC."""

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, ClassVar

from django import forms
from unfold.widgets import (
    INPUT_CLASSES,
    UnfoldAdminDecimalFieldWidget,
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
)

from gateway_project.admin_pages.formats import plain
from gateway_project.admin_pages.service_forms import ServiceForm
from gateway_project.shared import clock
from gateway_project.shared.problems import Conflict, Problem
from providers import price_services
from providers.kinds import provider_names
from providers.models import ModelPrice
from providers.price_units import images_in_pico, images_in_usd, tiers_in_pico, tiers_in_usd, unit_of
from providers.rules import PRICE_MEMBERS

_TITLES = {"cache_write_1h_pico": "cache write, kept 1 hour", "cache_write_pico": "cache write"}
_COUNTS = ("long_context_from", "max_input_tokens", "max_output_tokens")


def price_title(member: str) -> str:
    """What people call a member of a price: "cache read" for cache_read_pico."""
    return _TITLES.get(member, member.removesuffix("_pico").replace("_", " "))


class PriceField(forms.DecimalField):
    """USD in the member's own unit; pico-dollars per unit once cleaned. Empty is None: no such price."""

    def __init__(self, member: str) -> None:
        self.unit = unit_of(member)
        help_text = str(getattr(ModelPrice._meta.get_field(member), "help_text", ""))
        # What the table says is in pico-dollars; of it only what an empty field means is of use here.
        empty = help_text[help_text.index("Empty") :] if "Empty" in help_text else "Empty: no such price."
        super().__init__(
            required=False,
            min_value=Decimal(0),
            max_digits=21,
            decimal_places=12,
            label=price_title(member),
            help_text=f"{self.unit.text}. {empty}",
            widget=UnfoldAdminDecimalFieldWidget(attrs={"step": "any", "inputmode": "decimal"}),
        )

    def clean(self, value: Any) -> int | None:
        usd = super().clean(value)
        if usd is None:
            return None
        pico = self.unit.pico(usd)
        if usd and not pico:
            raise forms.ValidationError(f"That is less than the smallest price there is: {plain(self.unit.usd(1))}.")
        return pico

    def prepare_value(self, value: Any) -> Any:
        return plain(self.unit.usd(value)) if isinstance(value, int) else value


class UtcField(forms.CharField):
    """A moment in UTC; a unix second once cleaned. Empty is None."""

    def __init__(self, **options: Any) -> None:
        attrs = {"type": "datetime-local", "step": "1", "class": " ".join(INPUT_CLASSES)}
        super().__init__(required=False, widget=forms.TextInput(attrs), **options)

    def clean(self, value: Any) -> int | None:
        text = super().clean(value)
        if not text:
            return None
        try:
            return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())
        except (ValueError, OverflowError) as error:
            raise forms.ValidationError("Write a date and a time, such as 2026-01-31T00:00.") from error

    def prepare_value(self, value: Any) -> Any:
        if isinstance(value, int):
            return datetime.fromtimestamp(value, UTC).strftime("%Y-%m-%dT%H:%M:%S") if value else ""
        return value


class ConvertedJsonField(forms.JSONField):
    """A JSON object in USD; pico-dollars once cleaned. Its initial value is in USD."""

    def __init__(self, to_pico: Callable[[Mapping[str, Any]], Any], **options: Any) -> None:
        self._to_pico = to_pico
        widget = UnfoldAdminTextareaWidget(attrs={"rows": 4, "class": "gh-mono"})
        super().__init__(required=False, widget=widget, **options)

    def clean(self, value: Any) -> Any:
        given = super().clean(value)
        if given in (None, ""):
            return {}
        if not isinstance(given, dict):
            raise forms.ValidationError("Write a JSON object.")
        try:
            return self._to_pico(given)
        except ValueError as error:
            raise forms.ValidationError(f"{error}.") from error

    def prepare_value(self, value: Any) -> Any:
        return "" if value in (None, {}) else super().prepare_value(value)


def _count(label: str, help_text: str) -> forms.IntegerField:
    return forms.IntegerField(
        required=False,
        min_value=0,
        max_value=2**63 - 1,
        label=label,
        help_text=help_text,
        widget=UnfoldAdminIntegerFieldWidget,
    )


# Made from the rules, so that a further price brings its field along.
MemberForm = type(
    "MemberForm", (ServiceForm,), {"__module__": __name__, **{name: PriceField(name) for name in PRICE_MEMBERS}}
)


class PriceForm(MemberForm):  # type: ignore[misc, valid-type]
    """Creates and changes an operator's price. It comes before the public list's for the same model."""

    field_of: ClassVar[dict[str, str]] = {
        **{name: name for name in (*PRICE_MEMBERS, *_COUNTS, "provider", "model", "image_prices", "tiers")},
    }

    provider = forms.ChoiceField(choices=provider_names, widget=UnfoldAdminSelectWidget)
    model = forms.CharField(
        max_length=255,
        widget=UnfoldAdminTextInputWidget,
        help_text="As the provider's API names it. Its dated versions (model-2026-01-31) have this price as well, "
        "unless they have one of their own.",
    )
    valid_from = UtcField(label="valid from (UTC)", help_text="Empty: since ever. What is booked is not priced again.")
    valid_until = UtcField(label="valid before (UTC)", help_text="Empty: until further notice.")
    image_prices = ConvertedJsonField(
        images_in_pico,
        help_text='USD per image, by "quality/size", "size" or "" for any: {"hd/1024x1024": 0.08, "": 0.04}.',
    )
    tiers = ConvertedJsonField(
        tiers_in_pico,
        label="service tiers",
        help_text='Prices that differ by service tier, in USD as above: {"priority": {"input": 4.25, "output": 17}}.',
    )
    long_context_from = _count(
        "long context from", "Input tokens above which the long prices hold for the whole request."
    )
    max_input_tokens = _count("most input tokens", "Used to estimate what a request may cost.")
    max_output_tokens = _count("most output tokens", "Used to estimate what a request may cost.")
    note = forms.CharField(
        required=False,
        max_length=255,
        widget=UnfoldAdminTextInputWidget,
        help_text="Where the price is from, for people.",
    )

    class Meta:
        model = ModelPrice
        fields: ClassVar[list[str]] = []

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance._state.adding:
            self.initial.setdefault("valid_from", clock.now())
            return
        for name, value in shown(self.instance, self.fields).items():
            self.initial.setdefault(name, value)

    def store(self) -> ModelPrice:
        row = self.instance
        for name, value in self.cleaned_data.items():
            setattr(row, name, value)
        row.valid_from = row.valid_from or 0
        if row.valid_until is not None and row.valid_until <= row.valid_from:
            self.add_error("valid_until", "It must end after it begins.")
            return row
        return price_services.save_price(row)

    def _refuse(self, problem: Problem) -> None:
        if isinstance(problem, Conflict):
            self.add_error("valid_from", problem.detail)
        else:
            super()._refuse(problem)


def shown(row: ModelPrice, names: Iterable[str]) -> dict[str, Any]:
    """A row as the form's initial values."""
    in_usd = {"image_prices": images_in_usd(row.image_prices), "tiers": tiers_in_usd(row.tiers)}
    return {name: in_usd[name] if name in in_usd else getattr(row, name) for name in names}


def copied(row: ModelPrice) -> dict[str, Any]:
    """Initial values of a price of one's own in place of a list's row, from now on."""
    names = (*PRICE_MEMBERS, *_COUNTS, "provider", "model", "image_prices", "tiers")
    return shown(row, names) | {"valid_from": clock.now()}
