"""``python -m posengine`` is the command ``posengine``."""

from posengine.cli import main

if __name__ == "__main__":
    main()
