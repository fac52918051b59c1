"""`python -m bench.peers MODULE COUNT`: fills BENCH_DATABASE with people, prints their tokens."""

import sys
from importlib import import_module

if __name__ == "__main__":
    module, count = sys.argv[1:]
    print(*import_module(f"bench.peers.{module}").fill(int(count)), sep="\n")
