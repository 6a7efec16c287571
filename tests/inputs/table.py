"""The table of odd and hostile inputs by kind, and the function that reads each kind."""

from tests.inputs import archives, checkpoints, downloads, folders, pictures, tables
from tests.inputs.indexing import index

KINDS = {
    "folders": folders.ROWS,
    "images": pictures.ROWS,
    "tables": tables.ROWS,
    "archives": archives.ROWS,
    "downloads": downloads.ROWS,
    "checkpoints": checkpoints.ROWS,
}
READERS = {
    "folders": index,
    "images": pictures.pixels,
    "tables": index,
    "archives": archives.unpacked,
    "downloads": downloads.fetched,
    "checkpoints": checkpoints.weights,
}
