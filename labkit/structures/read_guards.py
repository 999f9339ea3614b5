"""What is looked at before a file is parsed: its size, its kind, its name.

A header is compared with the number of bytes that follow it, so that a file which claims ten million atoms is refused
at once, and a name is only ever a label: it is never opened, and nothing in it can act in a page that shows it.
"""

from __future__ import annotations

import re
from pathlib import Path

from labkit.errors import UnreadableFile

MAX_BYTES = 20_000_000
FORMATS = ("cif", "poscar", "xyz", "extxyz", "traj")
_ALIASES = {"vasp": "poscar", "contcar": "poscar", "exyz": "extxyz"}
_ARCHIVES = {b"\x1f\x8b": "gzip", b"PK\x03\x04": "zip", b"BZh": "bzip2", b"\xfd7zXZ": "xz", b"7z\xbc\xaf": "7-Zip"}
_TRAJ_MAGIC = (b"- of Ulm", b"AFFormat")


def safe_name(filename: str) -> str:
    """Return a label for a file name: its last part, letters, digits and ``. _ + - @ ( )`` only, 80 characters at
    most.
    """
    last = re.split(r"[/\\]", str(filename))[-1]
    return re.sub(r"[^\w.+\-@() ]+", "_", last).strip(" ._")[:80] or "structure"


def load_bytes(source: bytes | str | Path, label: str) -> bytes:
    """Return the content of `source`, at most MAX_BYTES of it; raises UnreadableFile for what is empty, too large or
    not a file.
    """
    if isinstance(source, Path):
        try:
            # The size is asked for first: a terabyte must not be loaded to be refused. A pipe has no size and no end.
            if not source.is_file():
                raise UnreadableFile(f"{label} is not a file that can be opened. Check the path.")
            _refuse_size(source.stat().st_size, label)
            data = source.read_bytes()
        except OSError as error:
            raise UnreadableFile(
                f"{label} cannot be opened ({error.strerror}). Check the path and its permissions."
            ) from error
    elif isinstance(source, str):
        if source.strip() and "\n" not in source and len(source) < 500:
            raise UnreadableFile(
                f"{source[:60]!r} is one line of text, not the content of a structure file. For a file on disk "
                "pass pathlib.Path(...); "
                "for a library structure use labkit.structures.named(...)."
            )
        data = source.encode("utf-8", errors="replace")
    elif isinstance(source, (bytes, bytearray, memoryview)):
        _refuse_size(len(source), label)
        data = bytes(source)
    else:
        raise UnreadableFile(
            f"A structure is read from bytes, text or a pathlib.Path, not from {type(source).__name__}."
        )
    _refuse_size(len(data), label)
    if not data.strip():
        raise UnreadableFile(f"{label} is empty. Was the download or the copy interrupted?")
    return data


def _refuse_size(size: int, label: str) -> None:
    if size > MAX_BYTES:
        raise UnreadableFile(
            f"{label} has {size / 1e6:.1f} MB; at most {MAX_BYTES / 1e6:.0f} MB are read. Cut it down to the "
            "frames that you need."
        )


def sniff(data: bytes, filename: str | None, format: str | None, label: str) -> str:
    """Return the format of `data`, from `format`, else the file name, else the content; raises UnreadableFile when
    it cannot be one.
    """
    head = data[:4096]
    for magic, archive in _ARCHIVES.items():
        if head.startswith(magic):
            raise UnreadableFile(f"{label} is compressed ({archive}). Unpack it first.")
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise UnreadableFile(f"{label} is written in UTF-16. Save it as UTF-8.")
    is_traj = head.startswith(_TRAJ_MAGIC)
    if not is_traj and b"\0" in head:
        raise UnreadableFile(f"{label} is a binary file of an unknown kind. Readable are: {', '.join(FORMATS)}.")
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if start.startswith(b"<"):
        raise UnreadableFile(
            f"{label} is a web page or XML, not a structure: perhaps a log-in or an error page was saved. "
            "Download the file itself."
        )
    found = _named_format(format, filename)
    if format is not None and found is None:
        raise UnreadableFile(f"The format {format[:20]!r} is unknown. Readable are: {', '.join(FORMATS)}.")
    if is_traj or found == "traj":
        if not is_traj:
            raise UnreadableFile(
                f"{label} does not begin like an ASE trajectory. Write it again with ase.io.write, or say format=..."
            )
        return "traj"
    return found or _content_format(head.decode("utf-8-sig", errors="replace"), label)


def _named_format(format: str | None, filename: str | None) -> str | None:
    if format is not None:
        name = format.lower().lstrip(".")
    elif filename:
        last = re.split(r"[/\\]", filename)[-1].lower()
        name = last.rsplit(".", 1)[-1]
        if re.match(r"(poscar|contcar)\b", last):
            name = "poscar"
    else:
        return None
    name = _ALIASES.get(name, name)
    return name if name in FORMATS else None


def _content_format(head: str, label: str) -> str:
    lines = head.splitlines()
    if any(line.lower().startswith(("data_", "loop_", "_cell_length_a")) for line in (text.strip() for text in lines)):
        return "cif"
    if re.fullmatch(r"\s*\d+\s*", lines[0]):
        return "extxyz"
    if len(lines) > 4 and all(re.match(r"\s*(\S+\s+){2}\S+", line) and _floats(line) for line in lines[2:5]):
        return "poscar"
    raise UnreadableFile(f"The format of {label} is not recognised. Say format=..., one of {', '.join(FORMATS)}.")


def _floats(line: str) -> bool:
    try:
        return len([float(word) for word in line.split()[:3]]) == 3
    except ValueError:
        return False


def decode(data: bytes) -> str:
    """Return the text of `data`: UTF-8, or Latin-1 as in old CIFs."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("latin-1")
