"""A proxy process of its own, for a test: admits at once and prints how many passed.

python -m tests.gateway_project.shared.admit_many URL NAME HOW_MANY MAXIMUM
"""

import asyncio
import sys

from gateway_project.shared.counters import Admitted
from gateway_project.shared.redis_counters import RedisCounters
from tests.gateway_project.shared.counting import admit, limit, requests


async def main(url: str, name: str, how_many: int, maximum: int) -> None:
    store = RedisCounters(url)
    one = limit(requests(), maximum=maximum, amount=1)
    admissions = await asyncio.gather(*[admit(store, f"{name}-{number}", one) for number in range(how_many)])
    print(sum(isinstance(admission, Admitted) for admission in admissions))
    await store.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])))
