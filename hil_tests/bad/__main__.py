"""``python -m hil_tests.bad NAME``: one bad driver as a process."""

from __future__ import annotations

import argparse
import sys

import hil_tests.bad
from hil_tests.bad import BAD


def main() -> None:
    parser = argparse.ArgumentParser(description=(hil_tests.bad.__doc__ or "").partition("\n")[0])
    parser.add_argument("name", nargs="?", default="good", choices=sorted(BAD))
    parser.add_argument("--endpoint", default="tcp://127.0.0.1:5610")
    parser.add_argument("--list", action="store_true")
    args = parser.parse_args()
    if args.list:
        for name, (_, rules) in BAD.items():
            print(f"{name:24} {', '.join(rules)}")
        sys.exit(0)
    BAD[args.name][0](args.name, args.endpoint).run()


if __name__ == "__main__":
    main()
