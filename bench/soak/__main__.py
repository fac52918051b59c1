"""`python -m bench.soak --minutes 10`: prints a summary; 1 when anything was wrong."""

import argparse
import signal
import sys

from .parts import missing_tools
from .run import run


def main() -> int:
    """Run it once."""
    parser = argparse.ArgumentParser(prog="python -m bench.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--clients", type=int, default=8)
    options = parser.parse_args()
    if missing := missing_tools():
        print(f"Missing. Get it with: apt-get install {' '.join(missing)}", file=sys.stderr)
        return 1
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that all parts are ended
    lines, findings = run(options.minutes * 60, options.clients)
    print("\n" + "\n".join(lines))
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
