"""The first format of result files, which is still read, and which the golden files have."""

import csv
import json


def to_first_format(path):
    """The bytes of a result file with its metadata as `# key: value` lines above the header line."""
    names, *rows = path.read_text(encoding="utf-8").splitlines()
    names, last = names.rsplit(",", 1)
    assert last == "metadata"
    assert all(row.endswith(",.") for row in rows[1:])
    *_, metadata = next(csv.reader(rows[:1]))
    rest = rows[0].removesuffix(',"' + metadata.replace('"', '""') + '"')
    fields = json.loads(metadata)
    lines = [f"# {k}: {v if isinstance(v, str) else json.dumps(v)}" for k, v in fields.items()]
    lines += [names, rest, *(row.removesuffix(",.") for row in rows[1:])]
    return "".join(line + "\n" for line in lines).encode()
