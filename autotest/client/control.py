"""One run: a control file from START to END, and the exit code that says how it went (test-api section 1.2)."""

import logging
import os
import re
import shutil
import sys
import time
from typing import Any, Dict

from autotest.client import durable, encoding, error, logs, process, resume, state, sysinfo
from autotest.client.job import Job, Options
from autotest.client.status_log import StatusEntry, StatusLogger

ENDED, ABORTED, PAUSED = 0, 1, 5


def run(options: Options) -> int:
    """Run (or go on with) the control file. Returns 0 at the end, 1 if aborted, 5 if paused, n for sys.exit(n)."""
    memory = state.State(options.state)
    problem = _refusal(options, memory)
    if problem:
        print(problem, file=sys.stderr)
        return ABORTED
    with open(options.control, "rb") as file:
        text = file.read()
    if not options.resume:
        _start_afresh(options.results, memory)
    sys.dont_write_bytecode = True
    logs.to_console()
    logs.to_folder(os.path.join(options.results, "debug"), "client")
    durable.write(os.path.join(options.results, "control"), encoding.to_text(text))
    return _run(options, memory, text)


def _refusal(options: Options, memory: state.State) -> str:
    if not os.path.isfile(options.control):
        return f"control file {options.control} does not exist"
    if options.resume:
        return "" if memory.exists() else f"all done: there is no state {options.state} to continue from"
    if os.path.isdir(options.results):
        present = set(os.listdir(options.results))
        if present and not present & {"status", "debug"}:
            return f"results folder {options.results} holds files that are not ours; choose an empty one"
    return ""


def _start_afresh(results: str, memory: state.State) -> None:
    os.makedirs(results, exist_ok=True)
    for name in os.listdir(results):
        path = os.path.join(results, name)
        if os.path.isdir(path) and not os.path.islink(path):
            shutil.rmtree(path)
        else:
            os.remove(path)
    if memory.exists():
        os.remove(memory.path)
    memory.set("client", "steps", [])


def _run(options: Options, memory: state.State, text: bytes) -> int:
    logger = resume.reopen(options.results)
    try:
        job = Job(options, memory, logger)
    except Exception as reason:
        _record_abort(logger, "ABORT", f"client.job.__init__ failed: {error.describe(reason)}")
        raise
    try:
        if job.reboots.is_new_boot():
            sysinfo.collect_boot(os.path.join(job.resultdir, "sysinfo"))
        _go_on(job)
        _execute(job, text)
    except error.JobContinue:
        return PAUSED
    except error.JobComplete:
        return ABORTED
    except SystemExit as reason:
        return _exit_code(reason.code)
    except error.JobError as reason:
        return _abort(job, reason)
    except BaseException as reason:
        logging.exception("this looks like a bug of autotest")
        return _abort(job, error.UnhandledJobError(reason))
    job.record("END GOOD", None, None)
    _forget(job)
    return ENDED


def _go_on(job: Job) -> None:
    """Open the log; on a continued run close what was left open: a reboot, or whatever died in the middle."""
    resume.merge_tasks(job.logger)
    groups = resume.open_groups(job.logger)
    if not groups:
        job.record("START", None, None)
    elif job.reboots.pending():
        job.reboots.finish()
    elif groups[-1].operation == "reboot":
        # A reboot begun by start_reboot() ends by end_reboot(), in a step to come.
        return
    resume.close_interrupted(job.logger, keep=1)


def _execute(job: Job, text: bytes) -> None:
    job.namespace.update(_globals(job))
    try:
        exec(compile(text, job.control, "exec"), job.namespace)
    except error.TestNAError as reason:
        job.record("TEST_NA", None, job.control, error.describe(reason))
        return
    except (error.JobError, SystemExit):
        raise
    except BaseException as reason:
        raise error.UnhandledJobError(reason) from reason
    if not job.memory.get("client", "begun", False):
        if callable(job.namespace.get("step_init")):
            job.engine.prepend("step_init", (), {})
        job.memory.set("client", "begun", True)
    job.engine.run()


def _globals(job: Job) -> Dict[str, Any]:
    # A test finds its arguments one by one as well, but never in the place of a name that is ours.
    names: Dict[str, Any] = dict(job.args_dict, args_dict=job.args_dict, args=job.args)
    names.update(__name__="__main__", __file__=job.control, job=job)
    names.update(os=os, sys=sys, time=time, re=re, logging=logging, error=error, process=process)
    names.update((name, getattr(error, name)) for name in error.__all__)
    return names


def _abort(job: Job, reason: error.JobError) -> int:
    text = error.describe(reason)
    if len(reason.args) >= 2:
        _record_abort(job.logger, "ABORT", text, re.sub(r"\s", " ", str(reason.args[1])))
    _record_abort(job.logger, "END ABORT", text)
    _forget(job)
    return ABORTED


def _record_abort(logger: StatusLogger, code: str, text: str, operation: str = "") -> None:
    try:
        logger.record(StatusEntry(code, "", operation, text))
    except (OSError, ValueError):
        logging.exception("the end of the run could not be recorded: %s", text)


def _forget(job: Job) -> None:
    """Move the state into the results: a run that has ended has nothing to continue from."""
    shutil.move(job.memory.path, os.path.join(job.logger.folder, os.path.basename(job.memory.path)))
    if os.path.exists(job.memory.path + ".lock"):
        os.remove(job.memory.path + ".lock")


def _exit_code(code: object) -> int:
    if code is None:
        return ENDED
    if isinstance(code, int):
        return code & 0xFF
    print(code, file=sys.stderr)
    return ABORTED
