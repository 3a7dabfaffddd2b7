"""Tests of starting processes and reading what they use."""

import os
import time
from pathlib import Path

import pytest

from bench.processes import StartError, cpu_s, free_port, listener_pid, rss_mb, running

SERVE = "import http.server as h; h.HTTPServer(('127.0.0.1', {port}), h.BaseHTTPRequestHandler).serve_forever()"
AS_A_CHILD = "import subprocess, sys; subprocess.run([sys.executable, '-c', {code!r}])"


def test_it_reads_the_cpu_of_a_process() -> None:
    before, began = cpu_s(os.getpid()), time.process_time()
    while time.process_time() - began < 0.15:
        pass
    assert 0.1 <= cpu_s(os.getpid()) - before <= 1.0


def test_it_reads_the_memory_of_a_process() -> None:
    assert 10 < rss_mb(os.getpid()) < 4000


def test_it_finds_the_child_that_listens() -> None:
    port = free_port()
    with running(["-c", AS_A_CHILD.format(code=SERVE.format(port=port))], port) as pid:
        assert listener_pid(os.getpid(), port) == pid
        assert b"serve_forever" in Path(f"/proc/{pid}/cmdline").read_bytes()
    assert listener_pid(os.getpid(), port) is None


def test_it_shows_the_output_of_a_process_that_does_not_start() -> None:
    with pytest.raises(StartError, match="no such database"), running(["-c", "exit('no such database')"], free_port()):
        pass
