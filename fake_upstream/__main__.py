"""The command line of the fake upstream."""

import argparse

import fake_upstream
from fake_upstream.call import Options
from fake_upstream.server import run


def main() -> None:
    """Parse the arguments and serve."""
    parser = argparse.ArgumentParser(
        prog="python -m fake_upstream",
        description=fake_upstream.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default 127.0.0.1)")
    parser.add_argument("--port", type=int, default=8003, help="port (default 8003); 0 picks a free one and prints it")
    parser.add_argument("--require-key", default="", metavar="KEY", help="answer 401 to any other key")
    parser.add_argument("--pause-ms", type=float, default=0.0, help="pause between content chunks (default 0)")
    parser.add_argument("--tokens", type=int, default=16, help="length of an answer in tokens (default 16)")
    parser.add_argument("--snapshots", action="store_true", help="answers name the dated snapshot of the model")
    parser.add_argument("--no-record", action="store_true", help="keep no requests (for benchmarks)")
    given = parser.parse_args()
    options = Options(given.require_key, given.pause_ms, given.tokens, given.snapshots, not given.no_record)
    run(options, given.host, given.port)


if __name__ == "__main__":
    main()
