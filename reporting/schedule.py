"""What beat starts when; every task may also be run by hand, at any time, twice."""

from datetime import timedelta

from celery.schedules import crontab

beat_schedule = {
    "roll up days": {"task": "reporting.roll_up_days", "schedule": timedelta(minutes=5)},
    "partitions ahead": {"task": "reporting.make_partitions", "schedule": timedelta(hours=6)},
    "drop old events": {"task": "reporting.drop_old_events", "schedule": crontab(hour="3", minute="10")},
    "prune": {"task": "reporting.prune", "schedule": crontab(minute="40")},
}
