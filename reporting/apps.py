from django.apps import AppConfig


class ReportingConfig(AppConfig):
    name = "reporting"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        # Here because models cannot be imported before the apps are ready.
        from keys.queries import provide_spend
        from reporting.queries import spend_by_key

        provide_spend(spend_by_key)
