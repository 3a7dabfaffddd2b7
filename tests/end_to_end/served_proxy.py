"""A proxy under one of the project's own servers: `python -m … <daphne|uvicorn> <port> <upstream> <spool>`."""

import importlib
import sys
from pathlib import Path

from gateway_project.front import Listener
from gateway_project.servers.listening import ServerConfig
from gateway_project.shared.memory_counters import MemoryCounters
from proxy.access_log import AccessLog
from proxy.application import Surroundings, build_proxy
from proxy.config import ProxyConfig
from tests.proxy_gateway import PEPPER, PlainDoors, key, openai_setting, price


def main(kind: str, port: int, upstream: str, spool: Path) -> None:
    server = importlib.import_module(f"gateway_project.servers.{kind}")  # first: Daphne chooses the event loop
    doors = PlainDoors(settings={"setting-1": openai_setting(upstream)}, prices={("openai", "gpt-4o"): price()})
    doors.put_key(key(cost_limit_nano=10**9))
    surroundings = Surroundings(doors, MemoryCounters(), AccessLog(enabled=False))
    proxy = build_proxy(ProxyConfig(peppers=(PEPPER,), spool_root=spool), surroundings)
    config = ServerConfig("127.0.0.1", port, 5.0, 30.0, 1_000_000, b"{}")
    server.serve(Listener({"http": proxy}, proxy), config, lambda: print("serving", flush=True))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3], Path(sys.argv[4]))
