from django.views import View

from gateway_project.shared.access import access_of, allows


def test_it_reads_what_a_function_declares() -> None:
    @allows("public")
    def view() -> None: ...

    assert access_of(view) == "public"


def test_it_reads_what_the_class_behind_a_view_declares() -> None:
    class Page(View):
        access = "admin_session"

    assert access_of(Page.as_view()) == "admin_session"


def test_it_knows_no_access_that_is_not_declared_or_not_one() -> None:
    def view() -> None: ...

    class Page(View):
        access = "whoever"

    assert access_of(view) is None
    assert access_of(Page.as_view()) is None
