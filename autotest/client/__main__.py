"""The command line on the DUT: run, start, follow, collect."""

import argparse
import json
import os
import sys
from typing import Any, List, Optional

from autotest.client import collect, control, daemon, reboot
from autotest.client.job import Options


def main(argv: Optional[List[str]] = None) -> None:
    """Do what *argv* says and exit with its code."""
    sys.exit(dispatch(sys.argv[1:] if argv is None else argv))


def dispatch(argv: List[str]) -> int:
    """Do what *argv* says; the exit code of the process. Raises SystemExit for a wrong command line."""
    rest: List[str] = []
    if "--" in argv:
        split = argv.index("--")
        argv, rest = argv[:split], argv[split + 1 :]
    parser = _parser()
    options = parser.parse_args(argv)
    if options.command == "run":
        return control.run(_run_options(options))
    if options.command == "start":
        # Read now: a mistake should be told to who is still listening.
        run_options = _run_options(parser.parse_args(["run", *rest]))
        try:
            group = daemon.start(options.run, options.groups, lambda: control.run(run_options))
        except (RuntimeError, OSError) as reason:
            print(f"start: {reason}", file=sys.stderr)
            return 1
        print(f"started {group}", flush=True)
    elif options.command == "follow":
        daemon.follow(options.run, options.offset, sys.stdout.buffer)
    else:
        collect.write_tar(os.path.join(options.run, "results"), sys.stdout.buffer)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="autotest-client", description="Runs control files on this machine.")
    # Python 3.6 cannot say required= here.
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    commands.required = True
    run = commands.add_parser("run", help="run a control file to its end, or to a pause (exit code 5)")
    run.add_argument("--results", required=True, metavar="DIR", help="folder of the results, emptied unless --continue")
    run.add_argument("--control", required=True, metavar="FILE", help="the control file")
    run.add_argument("--state", required=True, metavar="FILE", help="what a paused run remembers")
    run.add_argument("--tests", action="append", default=[], metavar="DIR", help="holds <test>/<test>.py")
    run.add_argument("--args-json", default="[]", metavar="LIST", help="args of the control file, as a JSON list")
    run.add_argument("--args-dict-json", default="{}", metavar="OBJECT", help="its args_dict, as a JSON object")
    run.add_argument("--user", default="", help="job.user")
    run.add_argument("--hostname", default="", help="the name of this machine in the lab")
    run.add_argument("--tag", default="default", help="job.tag")
    run.add_argument("--reboot-command", default="", metavar="CMD", help="what job.reboot() runs")
    run.add_argument("--boot-id-file", default=reboot.DEFAULT_BOOT_ID_FILE, metavar="FILE", help="names the boot")
    run.add_argument("--tmp-dir", default="", metavar="DIR", help="folder for sources and temporary files")
    run.add_argument("--continue", dest="resume", action="store_true", help="go on after a pause or a reboot")
    start = commands.add_parser("start", help="run in the background: ... -- <arguments of run>")
    start.add_argument("--run", required=True, metavar="RUN", help="its --results must be RUN/results")
    start.add_argument("--groups", required=True, metavar="GROUPS", help="the process group is recorded here")
    follow = commands.add_parser("follow", help="print the status log of a run as it grows")
    follow.add_argument("--run", required=True, metavar="RUN")
    follow.add_argument("--offset", type=int, default=0, metavar="N", help="bytes that were seen already")
    gather = commands.add_parser("collect", help="write the results of a run to stdout, as a tar")
    gather.add_argument("--run", required=True, metavar="RUN")
    return parser


def _run_options(options: argparse.Namespace) -> Options:
    args = _json("--args-json", options.args_json, list, "list")
    args_dict = _json("--args-dict-json", options.args_dict_json, dict, "object")
    known = {name: getattr(options, name) for name in Options._fields if name not in ("args", "args_dict")}
    paths = {name: os.path.abspath(known[name]) for name in ("results", "control", "state")}
    return Options(**{**known, **paths, "args": args, "args_dict": args_dict})


def _json(option: str, text: str, kind: type, name: str) -> Any:
    try:
        value = json.loads(text)
    except ValueError as reason:
        raise SystemExit(f"{option} {text!r} is no JSON ({reason}); give a JSON {name}") from reason
    if not isinstance(value, kind):
        raise SystemExit(f"{option} {text!r} is no {name}; give a JSON {name}")
    return value


if __name__ == "__main__":
    main()
