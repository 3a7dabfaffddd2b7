"""The Celery application. Every role but the proxy loads it: the proxy must not load Celery."""

import os
from datetime import timedelta

from celery import Celery

from reporting.schedule import beat_schedule

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "gateway_project.settings")

app = Celery("gatehouse")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.conf.beat_schedule = {
    **beat_schedule,
    "expire keys": {"task": "keys.expire_keys", "schedule": timedelta(minutes=1)},
}
app.autodiscover_tasks(["keys", "providers", "reporting"])
