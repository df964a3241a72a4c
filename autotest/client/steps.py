"""The step engine: a queue of function names that outlives reboots (test-api-and-hosts.md section 1.4)."""

from typing import Any, Callable, Dict, List, NamedTuple, Tuple, Union

from autotest.client import error, state

StepRef = Union[str, Callable[..., Any], list, tuple]


class Step(NamedTuple):
    """One call to come. *ancestry* names the functions inside which *name* is defined, outermost first."""

    ancestry: Tuple[str, ...]
    name: str
    args: Tuple[Any, ...]
    kwargs: Dict[str, Any]


class StepEngine:
    """Runs the queued steps of a control file whose globals are *namespace*.

    A step leaves the queue on disk before it runs: a crash never repeats it.
    """

    def __init__(self, memory: state.State, namespace: Dict[str, Any], on_not_applicable: Callable[[str, str], None]):
        self._memory = memory
        self._namespace = namespace
        self._on_not_applicable = on_not_applicable
        self._insert_at = 0
        self._ancestry: Tuple[str, ...] = ()
        self._scope: Dict[str, Any] = {}

    @property
    def queue(self) -> List[Step]:
        """The steps to come, next first."""
        return [Step(*step) for step in self._memory.get("client", "steps", [])]

    def next_step(self, step: StepRef, args: Tuple[Any, ...], kwargs: Dict[str, Any]) -> None:
        """Queue *step* after those that the running step added, before older ones."""
        self._insert(self._insert_at, step, args, kwargs)
        self._insert_at += 1

    def prepend(self, step: StepRef, args: Tuple[Any, ...], kwargs: Dict[str, Any]) -> None:
        """Queue *step* first of all."""
        self._insert(0, step, args, kwargs)
        self._insert_at += 1

    def append(self, step: StepRef, args: Tuple[Any, ...], kwargs: Dict[str, Any]) -> None:
        """Queue *step* last of all."""
        self._insert(len(self.queue), step, args, kwargs)

    def run(self) -> None:
        """Run steps until none is left. TestNAError skips one; any other exception ends the job as JobError."""
        while self.queue:
            step, *rest = self.queue
            self._save(rest)
            self._insert_at = 0
            try:
                self._run_one(step)
            except error.TestNAError as reason:
                self._on_not_applicable(step.name, error.describe(reason))
            except (error.JobError, SystemExit):
                raise
            except BaseException as reason:
                raise error.UnhandledJobError(reason) from reason

    def _run_one(self, step: Step) -> None:
        self._ancestry = step.ancestry
        self._scope = self._rebuild(step.ancestry)
        found = self._lookup(step.name)
        result = found(*step.args, **step.kwargs)
        if isinstance(result, dict) and callable(result.get("step_init")):
            self._insert_new(0, Step((*step.ancestry, step.name), "step_init", (), {}))

    def _rebuild(self, ancestry: Tuple[str, ...]) -> Dict[str, Any]:
        """The local names inside the innermost of *ancestry*, by calling each of these functions again."""
        self._scope = {}
        scope: Dict[str, Any] = {}
        for name in ancestry:
            self._scope = scope
            inner = self._lookup(name)()
            scope = {**scope, **(inner if isinstance(inner, dict) else {})}
        return scope

    def _lookup(self, name: str) -> Callable[..., Any]:
        found = self._scope.get(name, self._namespace.get(name))
        if not callable(found):
            raise error.StepError(f"step {name!r} is no function of the control file; it cannot be run")
        return found

    def _insert(self, position: int, step: StepRef, args: Tuple[Any, ...], kwargs: Dict[str, Any]) -> None:
        function: Any = step
        if isinstance(step, (list, tuple)) and step:
            function, args = step[0], (*step[1:], *args)
        name = function if isinstance(function, str) else getattr(function, "__name__", None)
        if not isinstance(name, str):
            raise error.StepError(f"{step!r} is neither a function nor the name of one; it cannot be a step")
        if callable(self._namespace.get(name)):
            ancestry: Tuple[str, ...] = ()
        elif callable(self._scope.get(name)):
            ancestry = self._ancestry
        else:
            raise error.StepError(f"step {name!r} cannot be found again after a restart; define it at the top level")
        self._insert_new(position, Step(ancestry, name, tuple(args), kwargs))

    def _insert_new(self, position: int, step: Step) -> None:
        queue = self.queue
        queue.insert(position, step)
        self._save(queue)

    def _save(self, queue: List[Step]) -> None:
        self._memory.set("client", "steps", [tuple(step) for step in queue])
