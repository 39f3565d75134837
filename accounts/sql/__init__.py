"""SQL functions, one file each, installed by migrations and never edited once released.

A change is a new file with a new name (…_2); the old name goes one release later.
"""

from pathlib import Path

from django.db import migrations


def install(folder: Path, *names: str) -> list[migrations.RunSQL]:
    """Migration operations that create the named functions from `folder/<name>.sql`."""
    return [migrations.RunSQL((folder / f"{name}.sql").read_text(), migrations.RunSQL.noop) for name in names]
