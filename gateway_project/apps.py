from typing import Any

from django.apps import AppConfig
from django.db.models.signals import post_migrate


class GatewayProjectConfig(AppConfig):
    name = "gateway_project"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from django.conf import settings

        from gateway_project import checks  # noqa: F401  (importing it registers the checks)

        if settings.GATEWAY_ROLE != "proxy":
            from gateway_project import celery  # noqa: F401  (makes it the app that tasks belong to)
        post_migrate.connect(ensure_version_row, sender=self)


def ensure_version_row(*, using: str, **kwargs: Any) -> None:
    """The journal's one row must exist; `flush` takes it away and then sends this signal."""
    from gateway_project.models import ConfigVersion  # models are not loaded yet when this module is

    ConfigVersion.objects.using(using).get_or_create(pk=1)
