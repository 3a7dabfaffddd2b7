import pytest
from django.core.management import call_command

from gateway_project.changes import record_change
from gateway_project.models import ConfigVersion


@pytest.mark.django_db(transaction=True)
def test_the_journals_row_is_there_again_after_a_flush() -> None:
    call_command("flush", interactive=False, verbosity=0)
    assert ConfigVersion.objects.values_list("pk", flat=True).get() == 1
    assert record_change(digests=["p:1"]) == 1
