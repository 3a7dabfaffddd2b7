"""What the worker does for keys, by the clock."""

from celery import shared_task

from keys import services


@shared_task(name="keys.expire_keys")
def expire_keys() -> int:
    """Mark the keys whose ttl has ended; how many."""
    marked = total = services.expire_keys()
    while marked == services.EXPIRY_BATCH:
        marked = services.expire_keys()
        total += marked
    return total
