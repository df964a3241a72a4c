"""Host keyvals: platform and labels of a machine at the time of a run (results-and-tko.md section 1.2)."""

import urllib.parse
from typing import Iterable, List, Mapping, Optional

from autotest.client import keyval

#: The folder of the files, one a host, called like it.
FOLDER = "host_keyvals"


def render(platform: Optional[str], labels: Iterable[str]) -> bytes:
    """The file of one host: its labels, each percent-quoted, and its platform, if it has one."""
    pairs = {"labels": ",".join(urllib.parse.quote(label) for label in sorted(labels))}
    return keyval.render({**pairs, **({"platform": platform} if platform else {})})


def labels_of(pairs: Mapping[str, keyval.Value]) -> List[str]:
    """The labels that the pairs of such a file name, unquoted."""
    return [urllib.parse.unquote(label) for label in str(pairs.get("labels", "")).split(",") if label]
