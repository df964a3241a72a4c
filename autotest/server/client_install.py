"""Client install: puts client, tests and control file onto the DUT, and sends only what is not there yet.

Below ``<client_dir>``: ``packages/<name>-<hash>`` stay until another version of the same name replaces them;
``runs/<run>`` belongs to one run and goes with it.
"""

from __future__ import annotations

import re
import shlex
import tarfile
import tempfile
from collections.abc import Iterable, Mapping

from autotest.server import client_package
from autotest.server.client_package import Package
from autotest.server.hosts import remote

INSTALL_LIMIT_S = 600.0
_NAME = re.compile(r"([A-Za-z0-9_.+-]+)-([0-9a-f]{16})(\.pyz)?")

_UNPACK = """
cd {client_dir} || exit 1
rm -rf {scratch} && mkdir -p {scratch} packages runs && tar -xf - -C {scratch} || exit 1
for _at_new in {scratch}/packages/*; do
  [ -e "$_at_new" ] || continue
  rm -rf "packages/${{_at_new##*/}}" && mv "$_at_new" packages/ || exit 1
done
rm -rf runs/{run} && mv {scratch}/runs/{run} runs/ || exit 1
rm -rf {scratch} {obsolete}
"""
_FORGET_OTHERS = 'for _at_run in runs/*; do [ "$_at_run" = runs/{run} ] || rm -rf "$_at_run"; done\n'


def install(host: remote.RemoteHost, run: str, files: Mapping[str, bytes], tests: Mapping[str, Package]) -> str:
    """Make ``runs/<run>`` on the DUT with *files* and, in ``tests``, a link to each test; returns the client's path.

    Raises HostError when the DUT cannot take it.
    """
    client = client_package.client()
    wanted = {package.name: package for package in (client, *tests.values())}
    packages = shlex.quote(f"{host.client_dir}/packages")
    listing = host.run(f"mkdir -p {packages} && ls {packages}", timeout_s=60)
    present = set(listing.stdout.split())
    with tempfile.TemporaryFile() as bundle:
        with tarfile.open(fileobj=bundle, mode="w") as tar:
            for name, package in wanted.items():
                if name not in present:
                    package.add_to(tar)
            for path, data in files.items():
                client_package.add_file(tar, f"runs/{run}/{path}", data)
            for name, package in tests.items():
                client_package.add_link(tar, f"runs/{run}/tests/{name}", f"../../../packages/{package.name}")
        bundle.seek(0)
        script = _UNPACK.format(
            client_dir=shlex.quote(host.client_dir),
            scratch=f"incoming-{run}",
            run=run,
            obsolete=" ".join(f"packages/{name}" for name in replaced(present, wanted)),
        )
        if host.fence.token:
            script += _FORGET_OTHERS.format(run=run)
        host.run(script, timeout_s=INSTALL_LIMIT_S, stdin=bundle)
    return f"{host.client_dir}/packages/{client.name}"


def replaced(present: Iterable[str], wanted: Iterable[str]) -> list[str]:
    """The names of *present* that are another version of a package of *wanted*."""
    wanted = set(wanted)
    stems = {match[1] for name in wanted if (match := _NAME.fullmatch(name))}
    return sorted(
        name for name in present if name not in wanted and (match := _NAME.fullmatch(name)) and match[1] in stems
    )
