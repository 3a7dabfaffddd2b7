"""The spool: append-only files that hold what happened until the database has it. No Django.

root/<spool id>/<base offset, 20 digits>.seg and root/<spool id>/owner.lock. A record is a 4-byte length, a
4-byte CRC-32 of the payload (both big-endian) and the payload, written by one `write`. A position is a byte
offset over all segments of a spool; a segment's base is the size of everything before it, so that the files
alone say where each record lies.
"""

import contextlib
import errno
import fcntl
import itertools
import os
import re
import struct
import time
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

SEGMENT_BYTES = 16 * 1024 * 1024
# Below 2^24 the first byte of a length is NUL, which JSON text never holds: a reader finds the next record by it.
MAX_RECORD_BYTES = 8 * 1024 * 1024
_HEADER = struct.Struct(">II")
_SPOOL_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}")
_LOCK_PATIENCE_S = 2.0
_WINDOW_BYTES = 64 * 1024


class SpoolFull(OSError):
    """The record could not be written (disk full, no more files); nothing of it stays in the spool."""


class Segment(NamedTuple):
    """One file of a spool; base: position of its first byte."""

    base: int
    path: Path


@dataclass(frozen=True, slots=True)
class SpoolBatch:
    """Records as they were appended. end: position behind the last one, where the next read starts.

    torn: damaged stretches skipped on the way. gap: bytes between the position asked for and the first
    segment that still exists (0 unless somebody deleted segments that were not covered).
    """

    records: list[bytes]
    end: int
    torn: int = 0
    gap: int = 0


@dataclass(frozen=True, slots=True)
class SpoolStatus:
    """spools: how many directories; depth_bytes: what lies beyond the confirmed positions."""

    spools: int
    depth_bytes: int


class SpoolWriter:
    """The only writer of one spool; for one thread. Holds the owner lock until closed or until the process dies.

    spool_id: new for every start of a process, never used again: the database remembers its position.
    fsync: flush each record to the disk, for machines that may lose power (a dying process loses nothing anyway).
    Do not fork while it is open: the child would hold the owner lock too.
    Raises BlockingIOError when another process owns the spool.
    """

    def __init__(
        self,
        root: Path,
        spool_id: str,
        *,
        segment_bytes: int = SEGMENT_BYTES,
        fsync: bool = False,
    ) -> None:
        if not _SPOOL_ID.fullmatch(spool_id):
            raise ValueError(f"{spool_id!r} cannot name a spool")
        self.directory = root / spool_id
        self._segment_bytes = segment_bytes
        self._fsync = fsync
        self._fd = -1
        self._size = 0
        self._lock_fd = _own(self.directory)
        segments = segments_of(self.directory)
        self._base = segments[-1].base + segments[-1].path.stat().st_size if segments else 0
        self._open_segment()

    @property
    def position(self) -> int:
        """Behind the last record appended."""
        return self._base + self._size

    def append(self, payload: bytes) -> int:
        """Append one record; returns the position behind it. Raises SpoolFull, ValueError for a size out of bounds."""
        length = len(payload)
        if not 0 < length <= MAX_RECORD_BYTES:
            raise ValueError(f"a record has 1 to {MAX_RECORD_BYTES} bytes, not {length}")
        if self._size >= self._segment_bytes:
            self._rotate()
        record = _HEADER.pack(length, zlib.crc32(payload)) + payload
        try:
            written = os.write(self._fd, record)
            if written != len(record):
                raise OSError(errno.ENOSPC, "short write")
            if self._fsync:
                os.fdatasync(self._fd)
        except OSError as error:
            self._cut_back()
            raise SpoolFull(error.errno, f"cannot write to the spool: {error.strerror}") from error
        self._size += written
        return self._base + self._size

    def close(self) -> None:
        """Give the spool up; the forwarder sends what is left and removes it."""
        for fd in (self._fd, self._lock_fd):
            if fd >= 0:
                os.close(fd)
        self._fd = self._lock_fd = -1

    def _open_segment(self) -> None:
        path = self.directory / f"{self._base:020d}.seg"
        self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self._size = os.fstat(self._fd).st_size
        if self._fsync:
            _sync_directory(self.directory)

    def _rotate(self) -> None:
        old_fd, old_base, old_size = self._fd, self._base, self._size
        self._base += self._size
        try:
            self._open_segment()
        except OSError as error:
            self._fd, self._base, self._size = old_fd, old_base, old_size
            raise SpoolFull(error.errno, f"cannot open a spool segment: {error.strerror}") from error
        os.close(old_fd)

    def _cut_back(self) -> None:
        """Remove a half-written record. If even that fails, the rest of this segment is left as damage."""
        try:
            os.ftruncate(self._fd, self._size)
        except OSError:
            self._size = os.fstat(self._fd).st_size
            self._segment_bytes = min(self._segment_bytes, self._size)


def list_spools(root: Path) -> list[Path]:
    """The spool directories under root, by name; empty when root does not exist."""
    if not root.is_dir():
        return []
    return sorted(entry for entry in root.iterdir() if entry.is_dir() and _SPOOL_ID.fullmatch(entry.name))


def segments_of(spool_dir: Path) -> list[Segment]:
    """Segments in order; empty when the directory has gone."""
    try:
        names = os.listdir(spool_dir)
    except FileNotFoundError:
        return []
    return sorted(Segment(int(n[:20]), spool_dir / n) for n in names if len(n) == 24 and n.endswith(".seg"))


def end_of(spool_dir: Path) -> int:
    """Position behind the last byte written, torn ones included."""
    segments = segments_of(spool_dir)
    try:
        return segments[-1].base + segments[-1].path.stat().st_size if segments else 0
    except FileNotFoundError:
        return 0


def is_owned(spool_dir: Path) -> bool:
    """Whether a living process writes this spool."""
    with _tried_lock(spool_dir / "owner.lock") as taken:
        return not taken


def read_records(spool_dir: Path, position: int, limit: int, max_bytes: int) -> SpoolBatch:
    """Up to `limit` whole records from `position`, about max_bytes in all but at least one if there is one.

    A damaged record is skipped up to the next sound one and counted. At the end of a living owner's spool it
    is left alone: it may be a write under way.
    """
    owned = is_owned(spool_dir)  # before listing: what a dead owner left is final
    segments = segments_of(spool_dir)
    if not segments:
        return SpoolBatch([], position)
    start = max(position, segments[0].base)
    batch = _Collected(start, limit, max_bytes)
    for number, segment in enumerate(segments):
        last = number == len(segments) - 1
        following = None if last else segments[number + 1].base
        if following is not None and following <= batch.end:
            continue
        whole = _read_segment(segment, batch, final=not (last and owned))
        if not whole or batch.full:
            break
    return SpoolBatch(batch.records, batch.end, batch.torn, start - position)


def remove_covered(spool_dir: Path, position: int) -> int:
    """Delete the segments that end at or before `position`, never the newest; how many went."""
    segments = segments_of(spool_dir)
    covered = [s for s, following in itertools.pairwise(segments) if following.base <= position]
    for segment in covered:
        segment.path.unlink(missing_ok=True)
    return len(covered)


def remove_dead(spool_dir: Path, position: int) -> bool:
    """Delete a spool without owner that holds nothing beyond `position`. False: not dead, or not covered."""
    with _tried_lock(spool_dir / "owner.lock") as taken:
        if not taken or end_of(spool_dir) > position:
            return False
        for segment in segments_of(spool_dir):
            segment.path.unlink(missing_ok=True)
        (spool_dir / "owner.lock").unlink(missing_ok=True)
        with contextlib.suppress(OSError):  # somebody put a file there, or made the spool anew
            spool_dir.rmdir()
    return True


@contextlib.contextmanager
def segments_kept(root: Path) -> Iterator[None]:
    """While held nobody deletes a segment, so that a cursor read from the database and the files agree."""
    with _flocked(root, fcntl.LOCK_SH):
        yield


@contextlib.contextmanager
def removal(root: Path) -> Iterator[bool]:
    """The right to delete segments. False: somebody is reading; try later."""
    try:
        with _flocked(root, fcntl.LOCK_EX | fcntl.LOCK_NB):
            yield True
    except BlockingIOError:
        yield False


def spool_status(root: Path, confirmed: Mapping[str, int] | None = None) -> SpoolStatus:
    """What waits in all spools. confirmed: positions by spool id that the database has; missing means the
    first byte that is still there."""
    known, directories, depth = confirmed or {}, list_spools(root), 0
    for directory in directories:
        segments = segments_of(directory)
        if segments:
            depth += max(
                0,
                end_of(directory) - max(known.get(directory.name, 0), segments[0].base),
            )
    return SpoolStatus(len(directories), depth)


class _Collected:
    """What a read has found so far."""

    def __init__(self, end: int, limit: int, max_bytes: int) -> None:
        self.records: list[bytes] = []
        self.end = end
        self.torn = 0
        self._limit = limit
        self._room = max_bytes

    @property
    def full(self) -> bool:
        return len(self.records) >= self._limit or (bool(self.records) and self._room <= 0)

    @property
    def window(self) -> int:
        return max(self._room, _WINDOW_BYTES) + _HEADER.size

    def add(self, payload: bytes) -> None:
        self.records.append(payload)
        self._room -= len(payload) + _HEADER.size
        self.end += len(payload) + _HEADER.size


def _read_segment(segment: Segment, batch: _Collected, *, final: bool) -> bool:
    """Collect from one segment. True: nothing of it is left. final: nobody will write to it any more."""
    with contextlib.suppress(FileNotFoundError), segment.path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        while not batch.full and batch.end - segment.base < size:
            at = batch.end - segment.base
            whole = size - at <= batch.window
            data = os.pread(file.fileno(), min(batch.window, size - at), at)
            if _take(data, batch):
                continue
            if not whole:
                data = os.pread(file.fileno(), size - at, at)
                if _take(data, batch):
                    continue
            if not _skip_damage(data, batch, final=final):
                return False
        return batch.end - segment.base >= size
    return False


def _take(data: bytes, batch: _Collected) -> bool:
    """Collect the sound records at the beginning of data. False: there was none."""
    at = 0
    while not batch.full:
        payload = _record_at(data, at)
        if payload is None:
            break
        batch.add(payload)
        at += _HEADER.size + len(payload)
    return at > 0


def _record_at(data: bytes, at: int) -> bytes | None:
    if at + _HEADER.size > len(data):
        return None
    length, checksum = _HEADER.unpack_from(data, at)
    begin = at + _HEADER.size
    if not 0 < length <= MAX_RECORD_BYTES or begin + length > len(data):
        return None
    payload = data[begin : begin + length]
    return payload if zlib.crc32(payload) == checksum else None


def _skip_damage(data: bytes, batch: _Collected, *, final: bool) -> bool:
    """Move behind a damaged record, to the next sound one. False: there is none yet and one may come."""
    at = data.find(b"\0", 1)
    while at >= 0 and _record_at(data, at) is None:
        at = data.find(b"\0", at + 1)
    if at < 0 and not final:
        return False
    batch.end += at if at >= 0 else len(data)
    batch.torn += 1
    return True


def _own(directory: Path) -> int:
    """The descriptor that holds the owner lock. A forwarder may test or remove it at any moment: try again."""
    deadline = time.monotonic() + _LOCK_PATIENCE_S
    while True:
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        try:
            fd = os.open(directory / "owner.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except FileNotFoundError:  # the directory was removed in between
            continue
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.fstat(fd).st_nlink:
                return fd
        except BlockingIOError:
            if time.monotonic() > deadline:
                os.close(fd)
                raise
        os.close(fd)
        time.sleep(0.01)


@contextlib.contextmanager
def _tried_lock(path: Path) -> Iterator[bool]:
    try:
        fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        # A writer that is just starting has no lock file yet; it will not mind being looked at again.
        yield not path.parent.exists() or _old(path.parent)
        return
    try:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            taken = True
        except BlockingIOError:
            taken = False
        yield taken
    finally:
        os.close(fd)


def _old(path: Path) -> bool:
    return time.time() - path.stat().st_mtime > 60


@contextlib.contextmanager
def _flocked(root: Path, operation: int) -> Iterator[None]:
    root.mkdir(parents=True, exist_ok=True, mode=0o700)
    fd = os.open(root / "removal.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, operation)
        yield
    finally:
        os.close(fd)


def _sync_directory(directory: Path) -> None:
    fd = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
