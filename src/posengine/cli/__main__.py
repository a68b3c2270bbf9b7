"""``python -m posengine.cli``: what the ``posengine`` command runs."""

from posengine.cli import main

main()
