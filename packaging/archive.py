"""Packs a folder with the same bytes whoever packs it, and when: `python3 packaging/archive.py FOLDER ARCHIVE`, a `.tar.gz` or a `.zip`."""

import gzip
import os
import sys
import tarfile
import zipfile
from pathlib import Path

folder, archive = Path(sys.argv[1]), Path(sys.argv[2])
when = int(os.environ["SOURCE_DATE_EPOCH"])
files = sorted(path for path in folder.rglob("*") if path.is_file())


def mode(path):
    return 0o755 if path.parent.name == "bin" else 0o644


if archive.suffix == ".zip":
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as out:
        for path in files:
            info = zipfile.ZipInfo(path.relative_to(folder.parent).as_posix())
            info.external_attr = mode(path) << 16
            info.compress_type = zipfile.ZIP_DEFLATED
            out.writestr(info, path.read_bytes())
else:
    with gzip.GzipFile(archive, "wb", mtime=0) as packed, tarfile.open(fileobj=packed, mode="w", format=tarfile.GNU_FORMAT) as out:
        for path in files:
            info = tarfile.TarInfo(path.relative_to(folder.parent).as_posix())
            info.size, info.mtime, info.mode = path.stat().st_size, when, mode(path)
            with path.open("rb") as source:
                out.addfile(info, source)
