"""The command ``autotest autoserv``: run one step by hand, or the job file of a results folder."""

from __future__ import annotations

import contextlib
import getpass
import logging
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import click

from autotest import errors
from autotest.host_info import HostInfo
from autotest.job_file import JOB_FILE, JobFile, StepOutcome
from autotest.server import autoserv as runner
from autotest.server import job
from autotest.states import Protection, Step


@click.command()
@click.argument("target", type=click.Path(path_type=Path), required=False)
@click.option("-m", "--machines", default="", help="Hosts, a comma list.")
@click.option("-c", "--client", "kind", flag_value="client", help="The control file runs on the DUT (default).")
@click.option("-s", "--server", "kind", flag_value="server", help="The control file runs here.")
@click.option("-v", "--verify", "step", flag_value="verify", help="Verify the host.")
@click.option("-R", "--repair", "step", flag_value="repair", help="Repair the host.")
@click.option("--provision", "step", flag_value="provision", help="Provision the host for --job-labels.")
@click.option("-r", "--results", type=click.Path(path_type=Path), help="Results folder; made when it is not there.")
@click.option("-l", "--label", default="", help="Name of the job.")
@click.option("-u", "--user", default="", help="Owner of the job; you by default.")
@click.option("-P", "--execution-tag", "tag", default="", help="Tag of the job.")
@click.option("-a", "--args", "arguments", default="", help="Arguments of the control file.")
@click.option("--job-labels", default="", help="Labels that the job wants, a comma list.")
@click.option("--tests", multiple=True, type=click.Path(exists=True, file_okay=False), help="Folder of test folders.")
@click.option("--limit", type=float, help="Seconds after which the run is stopped.")
@click.option("--host-protection", type=click.Choice([level.name for level in Protection], case_sensitive=False))
@click.option("--ssh-user", help="Login name (root).")
@click.option("--ssh-port", type=click.IntRange(1, 65535), help="Port (22).")
@click.option("--ssh-key", type=click.Path(exists=True, dir_okay=False), help="Private key.")
@click.option("--known-hosts", type=click.Path(dir_okay=False), help="File of pinned host keys (~/.ssh/known_hosts).")
@click.option("--attribute", multiple=True, metavar="NAME=VALUE", help="Any other host attribute.")
@click.option("-q", "--quiet", is_flag=True, help="Do not show status lines.")
def autoserv(target: Path | None, **options: object) -> None:
    """Run the step of the job.json in TARGET (a folder), or the control file TARGET on the hosts of -m.

    Exit status: 0 the step was done (tests may have failed), 1 it was not, 2 usage.
    """
    if target is not None and target.is_dir() and not options["machines"]:
        folder = target
    else:
        folder = _prepare(target, options)
        click.echo(f"results: {folder}", err=True)
    with _shown(not options["quiet"]):
        status = runner.run_folder(folder.absolute())
    outcome = StepOutcome.read(folder)
    if status and outcome is not None:
        click.echo(f"autoserv: {outcome.reason}", err=True)
    sys.exit(status)


@contextlib.contextmanager
def _shown(lines: bool) -> Iterator[None]:
    """Show warnings on stderr and, if *lines*, status lines on stdout as they come."""
    status, warnings = logging.StreamHandler(sys.stdout), logging.StreamHandler(sys.stderr)
    status.setLevel(logging.INFO if lines else logging.CRITICAL + 1)
    warnings.setLevel(logging.WARNING)
    logging.getLogger(job.__name__).addHandler(status)
    logging.getLogger().addHandler(warnings)
    try:
        yield
    finally:
        logging.getLogger(job.__name__).removeHandler(status)
        logging.getLogger().removeHandler(warnings)


def _prepare(target: Path | None, options: dict[str, object]) -> Path:
    """A results folder with the job.json that the options ask for."""
    step = Step(options["step"] or "run_test")
    infos = _hosts(options)
    if step is Step.RUN_TEST and target is None:
        raise click.UsageError("a control file is needed, or one of --verify, --repair, --provision")
    if not infos and options["kind"] != "server":
        raise click.UsageError("no machine: name the hosts with -m")
    control = ""
    if target is not None and step is Step.RUN_TEST:
        try:
            control = target.read_bytes().decode("utf-8", "surrogateescape")
        except OSError as problem:
            raise click.UsageError(f"control file {target} cannot be read: {problem.strerror}") from problem
    folder = options["results"] or Path(time.strftime("results.%Y-%m-%d-%H.%M.%S"))
    assert isinstance(folder, Path)
    if (folder / JOB_FILE).exists():
        raise click.ClickException(f"{folder} already holds a job; choose another results folder")
    folder.mkdir(parents=True, exist_ok=True)
    JobFile(
        step=step,
        hosts=infos,
        control_file=control,
        control_name=target.name if target else "control",
        control_type=str(options["kind"] or "client"),
        arguments=tuple(str(options["arguments"]).split()),
        test_roots=tuple(str(Path(str(root)).absolute()) for root in _strings(options["tests"])),
        job_labels=_words(options["job_labels"]),
        name=str(options["label"]) or (target.name if target else step.value),
        user=str(options["user"]) or getpass.getuser(),
        tag=str(options["tag"]),
        deadline_s=options["limit"],  # type: ignore[arg-type]  # click made it a float or None
    ).write(folder)
    return folder


def _hosts(options: dict[str, object]) -> tuple[HostInfo, ...]:
    attributes: dict[str, str] = {}
    for text in _strings(options["attribute"]):
        name, equals, value = text.partition("=")
        if not (name and equals):
            raise click.UsageError(f"--attribute {text!r} is not NAME=VALUE")
        attributes[name] = value
    for option in ("ssh_user", "ssh_port", "ssh_key", "known_hosts"):
        if options[option] is not None:
            attributes[option.removeprefix("ssh_")] = str(options[option])
    protection = Protection[str(options["host_protection"] or "NO_PROTECTION").upper()]
    labels = frozenset(_words(options["job_labels"]))
    names = sorted(set(_words(options["machines"])))
    for name in names:
        if any(character.isspace() for character in name):
            raise click.UsageError(f"machine {name!r} contains white space")
    return tuple(HostInfo(name, labels, dict(attributes), protection=int(protection)) for name in names)


def _words(value: object) -> tuple[str, ...]:
    return tuple(word.strip() for word in str(value).split(",") if word.strip())


def _strings(value: object) -> tuple[str, ...]:
    if not isinstance(value, tuple):
        raise errors.ValidationError({"option": f"{value!r} is no list"})
    return tuple(map(str, value))
