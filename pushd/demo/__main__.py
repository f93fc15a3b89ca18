"""``python -m pushd.demo``: Ctrl-C ends it without an error, even while its modules are still being loaded."""

import sys

if __name__ == "__main__":
    try:
        from pushd.demo.run import main

        main()
    except KeyboardInterrupt:
        sys.exit(0)
