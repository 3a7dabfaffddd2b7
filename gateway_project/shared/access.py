"""Who may call a URL. Every URL pattern declares it; a test lists the patterns and fails on one that does not."""

from collections.abc import Callable
from typing import Literal, TypeVar, get_args

Access = Literal["public", "admin_rest", "admin_session", "gateway_key"]
"""public: anybody. admin_rest: whoever has ADMIN_PASS (loopback without one). admin_session: staff signed in to the
admin site. gateway_key: whoever has a key of ours."""

ACCESSES: tuple[Access, ...] = get_args(Access)
AnyView = TypeVar("AnyView", bound=Callable[..., object])


def allows(access: Access) -> Callable[[AnyView], AnyView]:
    """Declare who may call a view function. It states the rule; the view or its base class enforces it."""

    def declare(view: AnyView) -> AnyView:
        view.access = access  # type: ignore[attr-defined]
        return view

    return declare


def access_of(view: Callable[..., object]) -> Access | None:
    """What a view function, or the class behind it, declares; None if it declares nothing."""
    for owner in (view, getattr(view, "view_class", None), getattr(view, "cls", None)):
        access = getattr(owner, "access", None)
        if access in ACCESSES:
            return access  # type: ignore[no-any-return]
    return None
