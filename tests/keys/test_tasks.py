import pytest

from keys import services
from keys.models import Key
from keys.tasks import expire_keys

pytestmark = pytest.mark.django_db


def test_it_marks_expired_keys_batch_after_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(services, "EXPIRY_BATCH", 2)
    Key.objects.bulk_create(
        Key(name="n", digest=f"p:{number}", expires_at=number, created_at=0, updated_at=0) for number in range(5)
    )
    assert expire_keys() == 5
    assert Key.objects.filter(revoked=True, revoked_reason="expired").count() == 5
    assert expire_keys() == 0
