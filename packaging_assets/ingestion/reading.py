"""Opens a delivered file: tells CSV from Parquet by content, and other things from both."""

import hashlib
from pathlib import Path

from packaging_assets.ingestion.chunks import DeliveredFile
from packaging_assets.ingestion.csv_reading import CsvFile
from packaging_assets.ingestion.errors import IngestionError
from packaging_assets.ingestion.parquet_reading import ParquetFile

_PARQUET = b"PAR1"
_UNREADABLE = {
    b"\x1f\x8b": "is compressed by gzip: decompress it and deliver the result",
    b"PK\x03\x04": "is a ZIP archive or an Excel workbook: deliver the table in it as CSV or Parquet",
    b"\xff\xfe": "is text in UTF-16: save it as UTF-8",
    b"\xfe\xff": "is text in UTF-16: save it as UTF-8",
}
_SNIFFED_BYTES = 2**16


def open_delivery(path: Path) -> DeliveredFile:
    """Open a CSV or Parquet file, whatever its name ends in.

    Raises:
        IngestionError: the file is absent, empty, damaged or neither CSV nor Parquet.
    """
    head = _head(path)
    if head.startswith(_PARQUET):
        return ParquetFile(path)
    for signature, problem in _UNREADABLE.items():
        if head.startswith(signature):
            raise IngestionError(f"{path}: {problem}.")
    if path.suffix.lower() == ".parquet":
        raise IngestionError(
            f"{path}: does not begin as a Parquet file does; write it again, or name it .csv if it is."
        )
    if b"\x00" in head:
        raise IngestionError(
            f"{path}: holds null characters, so it is some binary format or text in UTF-16; deliver CSV in UTF-8 or "
            "Parquet."
        )
    return CsvFile(path)


def content_hash(path: Path) -> str:
    """The sha256 of the file's bytes, in hex: the identity of a delivery.

    Raises:
        IngestionError: the file cannot be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise _unreadable(path, error) from None


def _head(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            head = file.read(_SNIFFED_BYTES)
    except OSError as error:
        raise _unreadable(path, error) from None
    if not head:
        raise IngestionError(f"{path}: is empty; deliver a file with a header, or none.")
    return head


def _unreadable(path: Path, error: OSError) -> IngestionError:
    return IngestionError(f"{path}: cannot be read ({error.strerror or error}); check the path and its permissions.")
