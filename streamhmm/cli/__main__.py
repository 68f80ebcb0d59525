"""``python -m streamhmm.cli``."""

import sys

from streamhmm.cli import main

sys.exit(main())
