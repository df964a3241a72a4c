"""The life of one test, inside its own process: which hook is called when, with what (test-api sections 2.2, 2.4)."""

import contextlib
import fcntl
import inspect
import logging
import os
from typing import Any, Callable, Dict, Iterator, NamedTuple, Set, Tuple, Type

from autotest.client import error, keyval, loader, logs, source, sysinfo


class Call(NamedTuple):
    """What the control file asked for. *arguments* are the keywords that are the test's own."""

    url: str
    outputdir: str
    positional: Tuple[Any, ...]
    arguments: Dict[str, Any]
    attributes: Dict[str, Any]
    run_cleanup: bool


def run(job: Any, call: Call) -> None:
    """Run one test from constructor to cleanup. Raises TestBaseException or JobError, and nothing else."""
    logs.to_folder(os.path.join(call.outputdir, "debug"), os.path.basename(call.outputdir))
    with _unhandled_as(error.UnhandledTestError):
        path = loader.find(call.url, job.test_roots)
        instance = loader.load_class(path)(job, os.path.dirname(path), call.outputdir)
        try:
            _run_hooks(job, instance, call)
        finally:
            _write_sysinfo(call.outputdir)


def _run_hooks(job: Any, instance: Any, call: Call) -> None:
    try:
        _write_keyval(instance, call)
        _validate(instance, call)
        _pass(instance.initialize, call.arguments)
        with _setup_lock(job.tmpdir):
            source.update(
                instance.srcdir,
                instance.bindir,
                instance.version,
                instance.preserve_srcdir,
                lambda: _pass(instance.setup, call.arguments),
            )
        os.chdir(call.outputdir)
        with _unhandled_as(error.UnhandledTestFail):
            _pass(instance.warmup, call.arguments)
            _execute(instance, call.arguments)
        instance.success = True
    except BaseException:
        if call.run_cleanup:
            _clean_up_quietly(instance, call)
        raise
    if call.run_cleanup:
        _pass(instance.cleanup, call.arguments)


def _clean_up_quietly(instance: Any, call: Call) -> None:
    try:
        _pass(instance.cleanup, call.arguments)
    except BaseException:
        # The failure that brought us here is the one to report.
        logging.exception("cleanup of %s failed after the test had failed", call.url)


@contextlib.contextmanager
def _unhandled_as(wrapper: Type[error.AutotestError]) -> Iterator[None]:
    """Let the verdicts of a test pass; make a *wrapper* of anything else, SystemExit and its like included."""
    try:
        yield
    except (error.TestBaseException, error.JobError):
        raise
    except error.AutotestError as reason:
        raise error.UnhandledTestError(reason) from reason
    except BaseException as reason:
        raise wrapper(reason) from reason


@contextlib.contextmanager
def _setup_lock(tmpdir: str) -> Iterator[None]:
    with open(os.path.join(tmpdir, ".testlock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _write_keyval(instance: Any, call: Call) -> None:
    parameters = {f"param-{name}": repr(value) for name, value in call.arguments.items()}
    keyval.append(
        os.path.join(call.outputdir, "keyval"), {**call.attributes, **parameters, "version": instance.version}
    )


def _write_sysinfo(outputdir: str) -> None:
    try:
        keyval.append(os.path.join(outputdir, "keyval"), sysinfo.test_keyvals())
    except Exception:
        # Facts about the machine are a courtesy; without them the test keeps its verdict.
        logging.exception("sysinfo of %s could not be written", outputdir)


def _validate(instance: Any, call: Call) -> None:
    if call.positional:
        raise error.TestError("Unnamed arguments not accepted. Please call job.run_test with named args only")
    hooks = [instance.initialize, instance.setup, instance.execute, instance.cleanup]
    declared: Set[str] = set()
    for hook in [*hooks, instance.warmup, *_run_once(instance)]:
        declared |= _parameters(hook)
    for name in sorted(set(call.arguments) - declared):
        if not any(_takes_any(hook) for hook in hooks):
            raise error.AutotestError(f"Unknown parameter: {name}")
        if not any(_takes_any(hook) for hook in [instance.warmup, *_run_once(instance)]):
            logging.warning("parameter %s of %s is ignored: no method of the test takes it", name, call.url)


def _execute(instance: Any, arguments: Dict[str, Any]) -> None:
    picked = _pick(instance.execute, arguments)
    for run_once in _run_once(instance):
        if _takes_any(instance.execute):
            own = {name: value for name, value in picked.items() if name in _parameters(instance.execute)}
            picked = {**_pick(run_once, arguments), **own}
    instance.execute(**picked)


def _run_once(instance: Any) -> Tuple[Callable[..., Any], ...]:
    return (instance.run_once,) if hasattr(instance, "run_once") else ()


def _pass(hook: Callable[..., Any], arguments: Dict[str, Any]) -> None:
    hook(**_pick(hook, arguments))


def _pick(hook: Callable[..., Any], arguments: Dict[str, Any]) -> Dict[str, Any]:
    if _takes_any(hook):
        return dict(arguments)
    return {name: value for name, value in arguments.items() if name in _parameters(hook)}


def _parameters(hook: Callable[..., Any]) -> Set[str]:
    kinds = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    return {name for name, parameter in inspect.signature(hook).parameters.items() if parameter.kind in kinds}


def _takes_any(hook: Callable[..., Any]) -> bool:
    return any(part.kind is inspect.Parameter.VAR_KEYWORD for part in inspect.signature(hook).parameters.values())
