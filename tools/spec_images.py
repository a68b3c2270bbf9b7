"""Compiles every shipped dialect to its spec image, for programs that read no TOML.

    python tools/spec_images.py build/images        build/images/unionpay-terminal.image, ...

CMake runs it for the C tests. A file whose image is the same is left alone.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from posengine.codec import Spec, dialect_names


def main() -> None:
    """Write one image a dialect into the folder named on the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="where the images go")
    folder = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    for name in dialect_names():
        path = folder / f"{name}.image"
        image = Spec.load(name).image
        if not path.is_file() or path.read_bytes() != image:
            path.write_bytes(image)


if __name__ == "__main__":
    main()
