"""`python -m coze_async` is the command `coze-async`."""

import sys

from coze_async.cli import main

if __name__ == "__main__":
    sys.exit(main())
